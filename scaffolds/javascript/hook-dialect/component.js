// The component: hands the engine's call to `parse`.

import "campanile-guest/console";
import { parse, Refusal } from "./callback.js";

export const hookDialect = {
  parseRequest(request, options) {
    try {
      return parse(request, options);
    } catch (error) {
      // The contract wants a rejection as an object; anything else is a fault of the callback.
      throw error instanceof Refusal ? { status: error.status, message: error.message } : error;
    }
  },
};
