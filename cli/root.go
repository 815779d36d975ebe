package cli

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
)

const rootHelp = `Fairlead takes an AI application from a commit to all of production's traffic,
safely, and keeps the proof.

Start it with "fairlead up", see a demonstration with "fairlead tour". A command
finds the server by the state directory's Unix socket, or by --server.`

// invocation is one run of the command line.
type invocation struct {
	std     Std
	screen  io.Writer // standard output itself, which may be a terminal
	wiring  Wiring
	flags   globals
	started bool // the command line was understood and a command runs
}

// globals are the flags that every command takes.
type globals struct {
	state     string
	server    string
	tokenFile string
	output    string
	noColor   bool
}

func (inv *invocation) root() *cobra.Command {
	root := &cobra.Command{
		Use:               "fairlead",
		Short:             "Releases of AI applications, safely",
		Long:              rootHelp,
		Example:           "  fairlead tour\n  fairlead deploy -f app.yaml --wait",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: inv.before,
		Args:              knownCommand,
		RunE:              showHelp,
	}
	root.SetFlagErrorFunc(flagError)
	f := root.PersistentFlags()
	f.StringVar(&inv.flags.state, "state", "", "state `directory` (default $FAIRLEAD_STATE, or the user's)")
	f.StringVar(&inv.flags.server, "server", "", "`URL` of a remote server (default $FAIRLEAD_SERVER)")
	f.StringVar(&inv.flags.tokenFile, "token-file", "", "`file` with the token for --server (default $FAIRLEAD_TOKEN holds the token)")
	f.StringVar(&inv.flags.output, "output", "text", "text or json")
	f.BoolVar(&inv.flags.noColor, "no-color", false, "no colours (also $NO_COLOR)")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	root.AddGroup(
		&cobra.Group{ID: "server", Title: "The server:"},
		&cobra.Group{ID: "release", Title: "Releases:"},
		&cobra.Group{ID: "see", Title: "What happens and why:"},
		&cobra.Group{ID: "keep", Title: "Secrets, volumes, tokens and proof:"},
	)
	root.AddCommand(grouped("server", inv.up(), inv.down(), inv.doctor(), inv.tour())...)
	root.AddCommand(grouped("release", inv.importCompose(), inv.deploy(), inv.promote(), inv.rollback(), inv.pause(), inv.resume(), inv.abort())...)
	root.AddCommand(grouped("see", inv.status(), inv.releases(), inv.diff(), inv.explain(), inv.logs(), inv.events(), inv.console(), inv.room(), inv.devices(), inv.metrics(), inv.signal())...)
	root.AddCommand(grouped("keep", inv.secret(), inv.volume(), inv.token(), inv.ledger())...)
	root.AddCommand(inv.schema(), inv.version(), inv.completion(), exitCodesTopic())
	return root
}

func grouped(id string, commands ...*cobra.Command) []*cobra.Command {
	for _, c := range commands {
		c.GroupID = id
	}
	return commands
}

// before runs when a command line was understood, before its command.
func (inv *invocation) before(*cobra.Command, []string) error {
	if o := inv.flags.output; o != "text" && o != "json" {
		return usagef("write --output text or --output json", "--output %q is not known", o)
	}
	inv.started = true
	return nil
}

// json reports whether the user wants JSON.
func (inv *invocation) json() bool { return inv.flags.output == "json" }

// asksJSON finds --output json in a command line that could not be read.
func asksJSON(args []string) bool {
	for i, arg := range args {
		if arg == "--output=json" || arg == "--output" && i+1 < len(args) && args[i+1] == "json" {
			return true
		}
	}
	return false
}

func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// knownCommand refuses arguments where a command's name is wanted.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see: " + cmd.CommandPath() + " --help"
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if near := nearest(args[0], names); near != "" {
		hint = "did you mean: " + cmd.CommandPath() + " " + near
	}
	return usagef(hint, "unknown command %q for %q", args[0], cmd.CommandPath())
}

// group returns a command that only holds others.
func group(use, short, long, example string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Example: example, Args: knownCommand}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var names []string
		for _, c := range cmd.Commands() {
			names = append(names, c.Name())
		}
		return usagef("one of: "+strings.Join(names, ", "), "%s needs a command", cmd.CommandPath())
	}
	cmd.AddCommand(commands...)
	return cmd
}

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "The exit statuses of all commands", Long: exitCodesHelp}
}
