package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pithings/flowhost"
	"pithings/things"
)

func newFlowDeploy(o *flowOptions) *cobra.Command {
	var d deployFlags
	var revision int
	c := &cobra.Command{
		Use:   "deploy FILE… | NAME [--revision N]",
		Short: "Deploy flows, each in the place of the one of the same name",
		Long: `deploy takes YAML files, each one deployment, and the GraphQL documents of one
or several deployments; - is standard input. They are kept as they are now: editing
a file changes nothing until it is deployed again.

With the name of a deployment it is deployed again as it is kept: after undeploy,
or as an earlier revision was.`,
		Example: `  pithings flow deploy hall.yaml --thing camera=TG_Camera
  pithings flow show Hall | pithings flow deploy - --name Hall_2
  pithings flow deploy Hall --revision 3`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if revision < 0 || revision > 0 && len(args) != 1 {
				return usagef("--revision N: name one deployment, and a revision of it (pithings flow show NAME lists them)")
			}
			r, err := d.deployment(c, args, revision)
			if err != nil {
				return err
			}
			return o.desk(c, func(ctx context.Context, desk flowhost.Desk) error {
				done, err := desk.Deploy(ctx, r)
				if err != nil {
					return err
				}
				for _, one := range done {
					for _, note := range one.Notes {
						fmt.Fprintln(c.ErrOrStderr(), "pithings:", things.Escape(note))
					}
				}
				return o.print(c, done, func(w *tabwriter.Writer) {
					for _, one := range done {
						printDeployed(w, one)
					}
				})
			})
		},
	}
	d.addAll(c.Flags())
	c.Flags().IntVar(&revision, "revision", 0, "deploy NAME again as this revision was; 0: as it is")
	return c
}

// deployment is what the arguments name: files, or a deployment that is kept.
func (d *deployFlags) deployment(c *cobra.Command, args []string, revision int) (r flowhost.DeployRequest, err error) {
	if revision == 0 && !isDeployment(args) {
		return d.request(args, c.InOrStdin())
	}
	r.Deployment, r.Revision = args[0], revision
	r.Options, err = d.options()
	return r, err
}

// isDeployment reports whether the arguments are no files but a deployment's name: there
// is no such file, and it does not look like one.
func isDeployment(args []string) bool {
	if len(args) != 1 || args[0] == "-" || strings.ContainsRune(args[0], filepath.Separator) {
		return false
	}
	switch strings.ToLower(filepath.Ext(args[0])) {
	case ".yaml", ".yml", ".graphql", ".gql", ".json":
		return false
	}
	_, err := os.Stat(args[0])
	return errors.Is(err, fs.ErrNotExist)
}

// printDeployed prints the state of a deployment.
func printDeployed(w *tabwriter.Writer, d flowhost.Deployed) {
	fmt.Fprintf(w, "%s: %s, revision %d\n", d.Name, d.Status.Words(), d.Revision)
}
