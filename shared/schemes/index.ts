/** The payment schemes ticket402 knows; adding one is a module and a line here. */

import { exactEip3009 } from "./exact-eip3009.ts"
import type { Scheme } from "./scheme.ts"

const all: readonly Scheme[] = [exactEip3009]

export const schemes: ReadonlyMap<string, Scheme> = new Map(all.map((scheme) => [scheme.name, scheme]))
