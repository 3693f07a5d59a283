// The component: hands the engine's call to `render`.

import "campanile-guest/console";
import * as status from "campanile:notifier/status@0.1.1";
import { render } from "./html-mail.js";

export const messageFormatter = {
  formatMessage(_mode, _name, build, results) {
    const { html, text } = render(build, results, status);
    // No subject and no headers: both are left to the settings.
    return { subject: null, body: html, kind: "html", alternative: text, headers: [] };
  },
};
