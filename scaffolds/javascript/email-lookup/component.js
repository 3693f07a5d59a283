// The component: hands the engine's call to `find`.

import "campanile-guest/console";
import { find } from "./callback.js";

export const emailLookup = { getAddress: find };
