// The component: hands the engine's call to `announce`.

import "campanile-guest/console";
import * as status from "campanile:notifier/status@0.1.1";
import { announce } from "./callback.js";

export const startCallback = {
  announceStart: (builder, build, _arg) => announce(builder, build, status),
};
