/** A call as a program makes it: the arguments of `fetch`, and its plans. */

/** What the caller knows of his own plans. */
export type CallPlans = {
  /** How many calls like this one are to come: the offer that is cheapest for all of them is bought. */
  readonly expectedCalls?: number
}

export type Fetch = (input: RequestInfo | URL, init?: RequestInit, plans?: CallPlans) => Promise<Response>
