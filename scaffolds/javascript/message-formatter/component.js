// The component: hands the engine's call to `render`.

import "campanile-guest/console";
import * as status from "campanile:notifier/status@0.1.1";
import { render } from "./callback.js";

export const messageFormatter = {
  formatMessage: (_mode, name, build, results) => render(name, build, results, status),
};
