package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pithings/flowhost"
	"pithings/things"
)

func newFlow() *cobra.Command {
	var o flowOptions
	c := &cobra.Command{
		Use:   "flow",
		Short: "Deploy flows, look at them and start them; run them without hardware",
		Long: `flow works with flows written in YAML or as Things Graph's GraphQL documents
(docs/flows.md, docs/things-graph.md). What is deployed is kept in the state folder
of the agent, as it was when it was deployed, and runs there.`,
		Example: `  pithings flow import workflow.graphql system.graphql deployment.graphql
  pithings flow deploy hall.yaml --thing camera=TG_Camera
  pithings flow list
  pithings flow executions SecurityFlow
  pithings flow run -e mqtt://broker hall.yaml`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("say validate, deploy, undeploy, list, show, start, executions, delete, import, export or run")
		},
	}
	for _, sub := range []*cobra.Command{newFlowDeploy(&o), newFlowUndeploy(&o), newFlowDelete(&o), newFlowList(&o), newFlowShow(&o),
		newFlowStart(&o), newFlowExecutions(&o), newFlowExport(&o)} {
		o.add(sub.Flags())
		c.AddCommand(sub)
	}
	c.AddCommand(newFlowValidate(), newFlowImport(), newFlowRun())
	return c
}

func newFlowValidate() *cobra.Command {
	var d deployFlags
	c := &cobra.Command{
		Use:   "validate FILE…",
		Short: "Say what is wrong with flows, and what to write instead",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := d.request(args, c.InOrStdin())
			if err != nil {
				return err
			}
			all, err := flowhost.Validate(r.Files, r.Options)
			if err != nil {
				return err
			}
			for _, v := range all {
				for _, note := range v.Notes {
					fmt.Fprintln(c.ErrOrStderr(), "pithings:", note)
				}
				if v.Models != "" {
					fmt.Fprintf(c.OutOrStdout(), "right: %s; no flow in it\n", v.Models)
					continue
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: right; flows: %s\n", v.Name, strings.Join(v.Flows, ", "))
				for _, t := range v.Triggers {
					fmt.Fprintf(c.OutOrStdout(), "  %s\n", t)
				}
			}
			return nil
		},
	}
	d.addAll(c.Flags())
	return c
}

func newFlowUndeploy(o *flowOptions) *cobra.Command {
	return &cobra.Command{
		Use:        "undeploy NAME",
		SuggestFor: []string{"stop", "disable"},
		Short:      "Take a deployment out of force, and keep it",
		Args:       cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.desk(c, func(ctx context.Context, desk flowhost.Desk) error {
				d, err := desk.Undeploy(ctx, args[0])
				if err != nil {
					return err
				}
				return o.print(c, d, func(w *tabwriter.Writer) { printDeployed(w, d) })
			})
		},
	}
}

func newFlowDelete(o *flowOptions) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a deployment with all its revisions",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.desk(c, func(ctx context.Context, desk flowhost.Desk) error {
				d, err := desk.Delete(ctx, args[0], force)
				if err != nil {
					return err
				}
				return o.print(c, d, func(w *tabwriter.Writer) { fmt.Fprintf(w, "%s: %s\n", d.Name, d.Status.Words()) })
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "also if it is deployed")
	return c
}

func newFlowList(o *flowOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List what is deployed, its status and what its flows did",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.desk(c, func(ctx context.Context, desk flowhost.Desk) error {
				list, err := desk.List(ctx)
				if err != nil {
					return err
				}
				return o.print(c, list, func(w *tabwriter.Writer) { listRows(w, list) })
			})
		},
	}
}

func listRows(w *tabwriter.Writer, list []flowhost.Deployed) {
	if len(list) == 0 {
		fmt.Fprintln(w, "nothing is deployed")
		return
	}
	fmt.Fprintln(w, "NAME\tSTATUS\tREVISION\tSINCE\tRUNNING\tSUCCEEDED\tFAILED\tABORTED\tDROPPED")
	for _, d := range list {
		var s struct{ succeeded, failed, aborted, dropped, running uint64 }
		for _, f := range d.Flows {
			s.succeeded += f.Succeeded
			s.failed += f.Failed
			s.aborted += f.Aborted
			s.dropped += f.Dropped + f.TooOld
			s.running += uint64(f.Running)
		}
		revision := fmt.Sprint(d.Revision)
		if d.Revision == 0 {
			revision = d.Source
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", d.Name, d.Status.Words(), revision, local(d.Since), s.running, s.succeeded, s.failed, s.aborted, s.dropped)
	}
	for _, d := range list {
		if d.Reason != "" {
			fmt.Fprintf(w, "%s: %s\n", d.Name, things.Escape(d.Reason))
		}
	}
}

func newFlowShow(o *flowOptions) *cobra.Command {
	var revision int
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a deployment: its things, triggers and revisions, and the flow in YAML",
		Long: `show prints what is known of a deployment as comments, and then the flow: the
whole is a file that can be deployed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.desk(c, func(ctx context.Context, desk flowhost.Desk) error {
				s, err := desk.Show(ctx, args[0], revision)
				if err != nil {
					return err
				}
				return o.print(c, s, func(w *tabwriter.Writer) { showRows(w, s) })
			})
		},
	}
	c.Flags().IntVar(&revision, "revision", 0, "an earlier revision; 0: the active one")
	return c
}

// showRows writes the rows as comments: the whole is a file that can be deployed.
func showRows(w *tabwriter.Writer, s flowhost.Shown) {
	fmt.Fprintf(w, "# name:\t%s\n# status:\t%s\n# since:\t%s\n", s.Name, s.Status.Words(), local(s.Since))
	if s.Reason != "" {
		fmt.Fprintf(w, "# reason:\t%s\n", things.Escape(s.Reason))
	}
	if s.Snapshot != nil {
		fmt.Fprintf(w, "# revision:\t%d of %v, deployed %s\n", s.Snapshot.Revision, s.Revisions, local(s.Snapshot.Deployed))
		for _, f := range s.Snapshot.Files {
			fmt.Fprintf(w, "# from:\t%s\n", things.Escape(f.Name))
		}
	}
	for _, b := range s.Things {
		fmt.Fprintf(w, "# thing:\t%s: %s (%s)\n", things.Escape(b.Role), things.Escape(b.Thing), b.Carrier)
	}
	for _, t := range s.Triggers {
		fmt.Fprintf(w, "# trigger:\t%s\n", things.Escape(t))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Vars)) {
		text, _ := json.Marshal(s.Vars[name]) // it came as JSON
		fmt.Fprintf(w, "# var:\t%s: %s\n", things.Escape(name), things.Escape(string(text)))
	}
	for _, f := range s.Flows {
		fmt.Fprintf(w, "# flow:\t%s: %d started, %d succeeded, %d failed, %d aborted, %d dropped, %d too old, %d running, %d waiting\n",
			f.Flow, f.Started, f.Succeeded, f.Failed, f.Aborted, f.Dropped, f.TooOld, f.Running, f.Waiting)
	}
	w.Flush()
	fmt.Fprintf(w, "\n%s", s.YAML)
}

func newFlowStart(o *flowOptions) *cobra.Command {
	var args []string
	c := &cobra.Command{
		Use:   "start NAME[/FLOW]",
		Short: "Start a flow of a deployment by hand",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, names []string) error {
			var r flowhost.StartRequest
			r.Deployment, r.Flow, _ = strings.Cut(names[0], "/")
			given, err := pairs("--arg", "NAME=VALUE", args)
			if err != nil {
				return err
			}
			r.Args = map[string]any{}
			for name, text := range given {
				var v any
				if json.Unmarshal([]byte(text), &v) != nil {
					v = text
				}
				r.Args[name] = v
			}
			return o.desk(c, func(ctx context.Context, desk flowhost.Desk) error {
				id, err := desk.Start(ctx, r)
				if err != nil {
					return err
				}
				return o.print(c, id, func(w *tabwriter.Writer) { fmt.Fprintln(w, id) })
			})
		},
	}
	c.Flags().StringArrayVar(&args, "arg", nil, "NAME=VALUE: a parameter of the flow; a VALUE that is JSON is what it says, other text is text")
	return c
}

func newFlowExport(o *flowOptions) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "export NAME|FILE",
		Short: "Write a deployment, or a flow of ours, as Things Graph's documents",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := os.Stat(args[0]); err == nil {
				file, err := flowhost.ReadFile(args[0])
				if err != nil {
					return err
				}
				return exportFlow(c, file, out)
			}
			return o.desk(c, func(ctx context.Context, desk flowhost.Desk) error {
				shown, err := desk.Show(ctx, args[0], 0)
				if err != nil {
					return err
				}
				return exportFlow(c, flowhost.File{Name: shown.Name + ".yaml", Text: shown.YAML}, out)
			})
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "write a file for each document into this folder, instead of all to standard output")
	return c
}

func exportFlow(c *cobra.Command, file flowhost.File, out string) error {
	documents, err := flowhost.Export(file)
	if err != nil {
		return err
	}
	return writeFiles(c, documents, out, "")
}

func newFlowImport() *cobra.Command {
	var d deployFlags
	var out string
	c := &cobra.Command{
		Use:   "import FILE.graphql…",
		Short: "Turn Things Graph's documents into flows in YAML",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := d.request(args, c.InOrStdin())
			if err != nil {
				return err
			}
			made, needs, passed, err := flowhost.Import(r.Files, r.Options)
			if err != nil {
				return err
			}
			for _, p := range passed {
				fmt.Fprintln(c.ErrOrStderr(), "pithings:", p)
			}
			for _, n := range needs {
				fmt.Fprintln(c.ErrOrStderr(), "pithings: before it can run:", n)
			}
			if len(made) > 1 && out == "" {
				return usagef("the documents hold %d deployments, and a file holds one: name a folder for them with -o", len(made))
			}
			return writeFiles(c, made, cmp.Or(out, ""), ".yaml")
		},
	}
	d.add(c.Flags())
	c.Flags().StringVarP(&out, "out", "o", "", "file (….yaml) or folder to write to, instead of standard output")
	return c
}
