package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/app"
)

func (inv *invocation) deploy() *cobra.Command {
	var file, env string
	var wait bool
	cmd := &cobra.Command{
		Use:   "deploy -f FILE",
		Short: "Make a release and begin its way into an environment",
		Long: `Deploy makes a release of the app that FILE declares and begins its rollout in
an environment: by default the first one of the file. What the server does not
hold yet of the artifact is uploaded. The same content again makes no new release.

With --wait it watches until the rollout is promoted (exit status 0), failed or
aborted (1), rolled back (3), or held because it is inconclusive (4). Ctrl-C ends
the watching, not the rollout.`,
		Example: "  fairlead deploy -f app.yaml --wait\n  fairlead deploy -f app.yaml --env production --output json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && file == "" {
				return usagef("fairlead deploy -f "+args[0], "deploy takes the App file with -f")
			}
			return exactly()(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return usagef("fairlead deploy -f app.yaml", "deploy needs the App file")
			}
			return inv.runDeploy(cmd.Context(), file, env, wait)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the App `file`")
	cmd.Flags().StringVar(&env, "env", "", "`environment` (default: the first of the file)")
	cmd.Flags().BoolVar(&wait, "wait", false, "watch until the rollout ends")
	_ = cmd.MarkFlagFilename("file", "yaml", "yml", "json")
	return cmd
}

func (inv *invocation) runDeploy(ctx context.Context, file, env string, wait bool) error {
	declared, err := readApp(file)
	if err != nil {
		return during("deploy", err)
	}
	c, err := inv.client()
	if err != nil {
		return err
	}
	op := "deploy " + declared.Metadata.Name
	request := client.Deploy{App: declared, Env: env}
	if request.Tree, err = inv.uploadArtifact(ctx, c, file, declared.Spec.Artifact); err != nil {
		return during(op, err)
	}
	waiting := inv.waiting()
	d, err := c.DeployTelling(ctx, request, waiting.tell)
	waiting.end()
	if err != nil {
		return during(op, err)
	}
	return inv.begun(ctx, c, d, wait)
}

// uploadArtifact sends what an App file names of this machine and the server does not
// hold yet, and returns the digest of its tree, or nothing where it names nothing.
func (inv *invocation) uploadArtifact(ctx context.Context, c *client.Client, file string, a fairlead.Artifact) (fairlead.Digest, error) {
	beside := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(filepath.Dir(file), filepath.FromSlash(name))
	}
	switch {
	case a.Directory != "":
		dir := beside(a.Directory)
		if !isDirectory(dir) {
			return "", fairlead.Errorf(fairlead.NotFound, "", "there is no directory %s", dir).
				WithHint("build it; spec.artifact.directory is relative to %s", file)
		}
		return inv.upload(ctx, c, dir)
	case a.Dockerfile != "":
		return inv.uploadContext(ctx, c, file, a, beside)
	case a.Archive != "":
		return inv.uploadArchive(ctx, c, file, beside(a.Archive))
	}
	return "", nil
}

// readApp reads an App file. Where it names a Git repository by a path, the path
// is made absolute, for the server does not stand where the file lies.
func readApp(file string) (fairlead.App, error) {
	data, err := readFile(file, app.MaxFile)
	if err != nil {
		return fairlead.App{}, err
	}
	declared, err := app.Parse(file, data)
	if err != nil {
		return fairlead.App{}, err
	}
	if git := declared.Spec.Artifact.Git; git != nil {
		local := filepath.Join(filepath.Dir(file), git.Git)
		switch {
		case isDirectory(local):
			if git.Git, err = filepath.Abs(local); err != nil {
				return fairlead.App{}, err
			}
		case !strings.Contains(git.Git, ":") && !filepath.IsAbs(git.Git):
			return fairlead.App{}, (&fairlead.Error{Code: fairlead.NotFound, Err: fmt.Errorf("there is no repository %s", local)}).
				WithHint("spec.artifact.from.git is a path relative to %s, or an https or ssh address", file)
		}
	}
	return declared, nil
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
