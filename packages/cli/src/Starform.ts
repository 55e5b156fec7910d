/** The whole command line, from arguments to one line of error and an exit status. */
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { autoscaleCommand } from "./commands/AutoscaleCommand.ts"
import { deploysCommand } from "./commands/DeploysCommand.ts"
import { envCommand } from "./commands/EnvCommand.ts"
import { environmentsCommand } from "./commands/EnvironmentsCommand.ts"
import { logsCommand } from "./commands/LogsCommand.ts"
import { projectsCommand } from "./commands/ProjectsCommand.ts"
import { releasesCommand } from "./commands/ReleasesCommand.ts"
import { restartCommand } from "./commands/RestartCommand.ts"
import { rollbackCommand } from "./commands/RollbackCommand.ts"
import { scaleCommand } from "./commands/ScaleCommand.ts"
import { scheduleCommand } from "./commands/ScheduleCommand.ts"
import { servicesCommand } from "./commands/ServicesCommand.ts"
import { statusCommand } from "./commands/StatusCommand.ts"
import { whyCommand } from "./commands/WhyCommand.ts"
import { workspacesCommand } from "./commands/WorkspacesCommand.ts"
import { CommandFailed, rejectedStatus } from "./session/CommandFailed.ts"
import { root } from "./session/RootCommand.ts"

const version = "0.0.0"

const command = root.pipe(
  Command.withSubcommands([
    statusCommand,
    whyCommand,
    logsCommand,
    releasesCommand,
    deploysCommand,
    rollbackCommand,
    restartCommand,
    scaleCommand,
    autoscaleCommand,
    scheduleCommand,
    envCommand,
    projectsCommand,
    environmentsCommand,
    servicesCommand,
    workspacesCommand
  ])
)

/** A command line that was not understood has been explained already, by its help. */
const misunderstood = (error: CliError.CliError) =>
  new CommandFailed({
    line: error.message,
    status: error._tag === "ShowHelp" && error.errors.length === 0 ? 0 : rejectedStatus
  })

/** Reads the arguments of this process. @errors CommandFailed when its line has been printed to standard error */
export const run = Command.run(command, { version }).pipe(
  Effect.catch((error) =>
    CliError.isCliError(error)
      ? Effect.fail(misunderstood(error))
      : Effect.andThen(Console.error(error.line), Effect.fail(error))
  )
)
