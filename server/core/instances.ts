/** Defines the heartbeat: each instance says every second that it runs. */

/** An instance that is silent for so long has crashed or lost its database. */
const silenceSeconds = 5

/** An instance seen since then runs. */
export const silentSince = (now: number): number => now - silenceSeconds
