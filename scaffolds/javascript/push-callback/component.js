// The component: hands the engine's call to `push`.

import "campanile-guest/console";
import { push } from "./callback.js";

export const pushCallback = { pushPackets: push };
