import { randomUUID } from "node:crypto"
import { hostname } from "node:os"

/** Of this life of this process: one that starts again is another one. In a cluster the host name is the pod's. */
export const agentIdentity = (): string => `${hostname()}_${randomUUID()}`
