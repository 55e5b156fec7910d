/** What this agent calls itself in its reports. */
export { starformVersion as agentVersion } from "@starform/domain/protocol/VersionSkew"
