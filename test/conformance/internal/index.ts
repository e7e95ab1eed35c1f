/** Every rule that no request from outside can check. */

import { clientRules } from "./client.ts"
import { deploymentRules } from "./deployment.ts"
import { startRules } from "./start.ts"

export const internalRules = [...startRules, ...clientRules, ...deploymentRules]
