/** What this agent calls itself in its reports. */
export const agentVersion = "0.1.0"
