package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pithings/awsiot/cloud"
	"pithings/quietlog"
	"pithings/spool/control"
)

// cloudJobs are the flags of the commands for jobs.
type cloudJobs struct {
	state string
	print flowOptions
}

// cloudWait is how long the answer of a running cloud may take.
const cloudWait = 10 * time.Second

func newCloudJob() *cobra.Command {
	o := &cloudJobs{}
	c := &cobra.Command{
		Use:   "job",
		Short: "Create, list and cancel jobs of a running pithings cloud",
		Long: `job manages the jobs of the pithings cloud that runs on this machine with the state
folder --state; without one, those of the simulation (run --mock) that runs here. Only
the user who runs it, and root, may.`,
		Example: "  pithings cloud job create pi1 '{\"operation\": \"restart\"}' --state cloud\n  pithings cloud job list --state cloud\n  pithings cloud job cancel JOB --state cloud",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return usagef("say create, list or cancel") },
	}
	f := c.PersistentFlags()
	f.StringVar(&o.state, "state", "", "`FOLDER` of the running cloud (default: that of the one simulation that runs here)")
	c.AddCommand(o.create(), o.list(), o.cancel())
	return c
}

// ask calls do with a client of the running cloud.
func (o *cloudJobs) ask(c *cobra.Command, do func(context.Context, *control.Client) error) error {
	socket := cloudSocket(o.state)
	if o.state == "" {
		if socket = simulation(c.Context(), control.UsualPlaces()); socket == "" {
			return usagef("--state is missing: name the folder of the running pithings cloud, or of one simulation (pithings run --mock)")
		}
	}
	client := control.NewClient(socket)
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.Context(), cloudWait)
	defer cancel()
	err := do(ctx, client)
	if errors.Is(err, control.ErrNoOwner) {
		return fmt.Errorf("no pithings cloud runs with the state folder %s: start it (pithings cloud --state %s), or name another folder", o.state, o.state)
	}
	return err
}

// simulation is the socket of the only simulation of this user that runs, which has a cloud at its
// broker; "" if there is not one.
func simulation(ctx context.Context, places control.Places) (socket string) {
	agents, _ := places.Find(ctx)
	for _, a := range agents {
		switch {
		case !a.Simulated || a.Other:
		case socket != "":
			return ""
		default:
			socket = a.Socket
		}
	}
	return socket
}

func (o *cloudJobs) create() *cobra.Command {
	var id string
	var within time.Duration
	c := &cobra.Command{
		Use:   "create THING[,THING…] DOCUMENT",
		Short: "Queue a job on things, and print its id",
		Long: `create queues a job on one or more things and notifies them. The document is what the
things get: a file with an object of JSON, - for standard input, or the object itself.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			document, err := readDocument(c, args[1])
			if err != nil {
				return err
			}
			if !json.Valid(document) {
				return fmt.Errorf("%s is not JSON", args[1])
			}
			if within%time.Minute != 0 {
				return usagef("--timeout %v: give whole minutes, such as 10m", within)
			}
			if id == "" {
				id = strings.ToLower(rand.Text())
			}
			job := cloud.JobRequest{ID: id, Document: document, Things: strings.Split(args[0], ","), Minutes: int(within / time.Minute)}
			return o.ask(c, func(ctx context.Context, client *control.Client) error {
				if err := client.Do(ctx, http.MethodPost, cloud.JobsPath, job, nil); err != nil {
					return err
				}
				_, err := fmt.Fprintln(c.OutOrStdout(), id)
				return err
			})
		},
	}
	c.Flags().StringVar(&id, "id", "", "`ID` of the job: up to 64 letters, digits, - and _ (default: a random one)")
	c.Flags().DurationVar(&within, "timeout", 0, "how long the job may be in progress on a thing, in whole minutes; 0 is for ever")
	return c
}

func (o *cloudJobs) list() *cobra.Command {
	c := &cobra.Command{
		Use:   "list [THING]",
		Short: "List the jobs of a thing, or of all things",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			path := cloud.JobsPath
			if len(args) == 1 {
				path += "?thing=" + url.QueryEscape(args[0])
			}
			all := []cloud.Execution{}
			if err := o.ask(c, func(ctx context.Context, client *control.Client) error {
				return client.Do(ctx, http.MethodGet, path, nil, &all)
			}); err != nil {
				return err
			}
			return o.print.print(c, all, func(w *tabwriter.Writer) {
				fmt.Fprintln(w, "THING\tJOB\tSTATUS\tSINCE\tDETAILS")
				for _, e := range all {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.Thing, e.Job, e.Status, local(e.Updated), jobDetails(e.Details))
				}
			})
		},
	}
	c.Flags().BoolVar(&o.print.json, "json", false, "print JSON")
	return c
}

// jobDetails are the details of a job on one line. They come from a device.
func jobDetails(details map[string]string) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(details)) {
		all = append(all, quietlog.OneLine(k+": "+details[k]))
	}
	return string(safe([]byte(quietlog.Clip(strings.Join(all, ", "), 160))))
}

func (o *cloudJobs) cancel() *cobra.Command {
	var how cloud.CancelRequest
	c := &cobra.Command{
		Use:   "cancel JOB",
		Short: "Cancel a job on the things that have not begun with it",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var done cloud.CancelResult
			if err := o.ask(c, func(ctx context.Context, client *control.Client) error {
				return client.Do(ctx, http.MethodPost, cloud.JobsPath+"/"+url.PathEscape(args[0])+"/cancel", how, &done)
			}); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "canceled on %d things\n", done.Canceled)
			return err
		},
	}
	c.Flags().BoolVar(&how.Force, "force", false, "also on the things that have begun")
	return c
}

// readAtMost reads all, which must be no more than so many bytes.
func readAtMost(r io.Reader, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("standard input has more than %d bytes", most)
	}
	return text, err
}
