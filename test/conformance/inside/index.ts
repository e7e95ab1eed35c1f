/** Every rule that shows at no address. */
import { behindRules } from "./behind.ts"
import { clientRules } from "./client.ts"
import { startRules } from "./start.ts"

export const insideRules = [...startRules, ...clientRules, ...behindRules]
