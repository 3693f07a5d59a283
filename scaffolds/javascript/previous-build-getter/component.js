// The component: hands the engine's call to `choose`.

import "campanile-guest/console";
import * as status from "campanile:notifier/status@0.1.1";
import { choose } from "./callback.js";

export const previousBuildGetter = {
  getPreviousBuild: (build) => choose(build, status),
};
