// The component: hands the engine's call to `summarize`.

import "campanile-guest/console";
import { summarize } from "./callback.js";

export const summaryCallback = {
  summarize: (builds, _results, _arg) => summarize(builds),
};
