// Ages and deadlines by the clock of the service that told them. What this browser's clock shows is never asked:
// only how much time has passed since the answer came, which no setting of a clock changes.

/** An age in seconds as it was told; gives a function for the age now, seconds. */
export function ageOf(toldSeconds, heardAt = performance.now()) {
  return () => toldSeconds + (performance.now() - heardAt) / 1000;
}

/** What is left in milliseconds as it was told; gives a function for what is left now, never below 0. */
export function leftOf(toldMs, heardAt = performance.now()) {
  return () => Math.max(0, toldMs - (performance.now() - heardAt));
}

/** Now by the clock of a service that said an RFC 3339 time; gives a function for its time now, Unix milliseconds. */
export function clockOf(toldTime, heardAt = performance.now()) {
  const told = Date.parse(toldTime);
  return () => told + (performance.now() - heardAt);
}
