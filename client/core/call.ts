/** A call as a program makes it: the arguments of `fetch`, and its plans. */

/** Plans that only the caller knows. */
export type CallPlans = {
  /** How many calls like this one are planned: the offer that is cheapest for all of them is bought. */
  readonly expectedCalls?: number
}

export type Fetch = (
  input: string | URL | Request,
  init?: RequestInit,
  plans?: CallPlans,
) => Promise<Response>
