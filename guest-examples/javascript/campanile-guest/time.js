// Times as people read them. A callback has no time zone, so they are in UTC.

// Year 10000 begins: later times are no times.
const LATEST = 253_402_300_800;

/** `Sat 19 Apr 2014 23:03:46`, or `?` for what is no time: not a number, before 1970, after 9999. */
export function time(when) {
  if (!(when >= 0 && when < LATEST)) return "?";
  // "Sat, 19 Apr 2014 23:03:46 GMT", without its comma and its zone.
  return new Date(Math.trunc(when) * 1000).toUTCString().replace(",", "").replace(" GMT", "");
}
