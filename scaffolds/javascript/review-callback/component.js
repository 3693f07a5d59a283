// The component: hands the engine's call to `review`.

import "campanile-guest/console";
import * as status from "campanile:notifier/status@0.1.1";
import { review } from "./callback.js";

export const reviewCallback = {
  reviewBuild: (builder, build, results, _arg) => review(builder, build, results, status),
};
