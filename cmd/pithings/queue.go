package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pithings/mqttlink"
	"pithings/mqttlink/topic"
	"pithings/spool/pub"
	"pithings/spool/queue"
	"pithings/spool/state"
	"pithings/things"
)

func newQueue() *cobra.Command {
	var q queueOptions
	c := &cobra.Command{
		Use:   "queue",
		Short: "Look at the messages that wait for the broker, copy or delete them",
		Long: `queue works with the outboxes in the state folder, one for each client id, also
while an agent owns them.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return usagef("say ls, export, import or purge") },
	}
	c.PersistentFlags().StringVar(&q.config, "config", os.Getenv("PITHINGS_CONFIG"), "take the state folder from this configuration of the agent")
	addState(c.PersistentFlags(), &q.state)
	c.AddCommand(newQueueLs(&q), newQueueExport(&q), newQueueImport(&q), newQueuePurge(&q))
	return c
}

func newQueueLs(q *queueOptions) *cobra.Command {
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use:        "ls [CLIENT-ID]",
		SuggestFor: []string{"list", "status", "show"},
		Short:      "List the queues, or the messages of one",
		Example: `  pithings queue ls
  pithings queue ls TG_MS --limit 0`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return q.list(c, asJSON)
			}
			if asJSON {
				return usagef("the messages of a queue as JSON: pithings queue export %s", args[0])
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NUMBER\tMADE (UTC)\tQOS\tTOPIC\tBYTES\tPAYLOAD")
			n := 0
			err := q.each(c, args, func(_ state.Queue, src queue.Source) error {
				return ignoreEnough(src.Each(c.Context(), func(l queue.Line) error {
					if n++; limit > 0 && n > limit {
						return errEnough
					}
					fmt.Fprintln(w, messageRow(&l))
					return nil
				}))
			})
			w.Flush()
			if err == nil && limit > 0 && n > limit {
				fmt.Fprintln(c.OutOrStdout(), "… there are more; --limit 0 shows all")
			}
			return err
		},
	}
	c.Flags().IntVar(&limit, "limit", 20, "most messages shown; 0: all")
	c.Flags().BoolVar(&asJSON, "json", false, "print an object of JSON in a line for each queue")
	return c
}

var errEnough = errors.New("enough")

func ignoreEnough(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func messageRow(l *queue.Line) string {
	made, payload, size := "not known", "(not text)", len(l.Base64)
	if t, err := time.Parse(time.RFC3339, l.Time); err == nil {
		made = t.UTC().Format("2006-01-02 15:04:05.000")
	}
	if l.Payload != nil {
		size = len(*l.Payload)
		payload = things.Printable([]byte((*l.Payload)[:min(size, 200)]))
		if r := []rune(payload); len(r) > 60 {
			payload = string(r[:60]) + "…"
		}
	}
	flags := ""
	if l.Retain {
		flags = " retain"
	}
	return fmt.Sprintf("%d\t%s\t%d%s\t%s\t%d\t%s", l.Seq, made, l.QoS, flags, things.Escape(l.Topic), size, payload)
}

// list prints a line for each queue.
// queueRow is a queue in the list.
type queueRow struct {
	ClientID string     `json:"client_id"`
	Messages int        `json:"messages"`
	Bytes    int64      `json:"bytes"`
	Oldest   *time.Time `json:"oldest,omitempty"`
	Alarms   int        `json:"alarms"`
	Held     int        `json:"only_in_memory"`
	Aside    int        `json:"set_aside"`
}

func (q *queueOptions) list(c *cobra.Command, asJSON bool) error {
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	rows := 0
	header := func() {
		if rows++; rows == 1 && !asJSON {
			fmt.Fprintln(w, "CLIENT ID\tMESSAGES\tBYTES\tOLDEST (UTC)\tALARMS\tONLY IN MEMORY\tSET ASIDE")
		}
	}
	defer q.noteCopied(c)
	err := q.each(c, nil, func(one state.Queue, src queue.Source) error {
		n, err := src.Stats(c.Context())
		if err != nil {
			return err
		}
		header()
		r := queueRow{ClientID: one.ClientID, Messages: n.Messages, Bytes: n.Bytes, Alarms: n.Alarms, Held: n.Unsaved, Aside: n.DeadLetters}
		oldest := "-"
		if !n.Oldest.IsZero() {
			t := n.Oldest.UTC()
			r.Oldest, oldest = &t, n.Oldest.Format("2006-01-02 15:04:05")
		}
		if asJSON {
			return json.NewEncoder(w).Encode(r)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%d\t%d\t%d\n", things.Escape(r.ClientID), r.Messages, r.Bytes, oldest, r.Alarms, r.Held, r.Aside)
		return nil
	})
	if err == nil && rows == 0 { // an empty table says that nothing waits, and only that
		header()
	}
	w.Flush()
	return err
}

func newQueueExport(q *queueOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "export [CLIENT-ID]",
		Short: "Print what waits, a line of JSON for each message",
		Long: `export prints the messages in their order, each as a line of JSON, and leaves them
where they are. A payload that is not text is given as payload_base64. import
reads the lines; so it does those of the file aside.jsonl in a queue's folder, the
messages upon which the broker hung up.`,
		Example: `  pithings queue export >backlog.jsonl`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			out := bufio.NewWriter(c.OutOrStdout())
			err := q.each(c, args, func(_ state.Queue, src queue.Source) error {
				return src.Each(c.Context(), func(l queue.Line) error {
					_, err := out.WriteString(l.String() + "\n")
					return err
				})
			})
			if err == nil {
				err = out.Flush()
			}
			return err
		},
	}
}

func newQueueImport(q *queueOptions) *cobra.Command {
	var thing, id string
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Put exported messages behind those that wait; - is standard input",
		Long: `import puts the messages of an export behind those that wait, of the agent if one
owns the state folder. It ends when all are on the disk.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var in io.Reader = c.InOrStdin()
			if args[0] != "-" {
				f, err := waiting(c.Context(), func() (*os.File, error) { return os.Open(args[0]) })
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			conn := &queueConn{config: q.config, state: q.state, conn: connection{id: id}}
			o, err := conn.options(c)
			if err != nil {
				return err
			}
			o.Link.Endpoint = "" // it only keeps them
			o.Connection, o.Log = thing, (&partOptions{}).log(c.ErrOrStderr())
			n := 0
			o.Input = pub.Parsed(in, func(line []byte) (mqttlink.Message, error) {
				n++
				return queue.ParseLine(line)
			})
			if err := pub.Run(c.Context(), o); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d messages are in the queue\n", n)
			return err
		},
	}
	c.Flags().StringVar(&thing, "connection", "", "beside a running agent: the thing whose connection is to take them; empty: the shared one")
	c.Flags().StringVarP(&id, "client-id", "i", "", "without one: the client `ID` whose queue is to take them (default: the one kept in the state folder)")
	return c
}

func newQueuePurge(q *queueOptions) *cobra.Command {
	var yes bool
	var filter string
	var olderThan time.Duration
	c := &cobra.Command{
		Use:        "purge [CLIENT-ID]",
		SuggestFor: []string{"rm", "delete", "clear", "flush"},
		Short:      "Delete messages that wait; they are not delivered",
		Long: `purge deletes messages for good. Without --yes it only says how many it would
delete; export keeps a copy.`,
		Example: `  pithings queue purge --topic 'bme680/#' --older-than 72h --yes`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if filter != "" {
				if err := topic.CheckFilter(filter); err != nil {
					return usagef("--topic: %w", err)
				}
			}
			if olderThan < 0 {
				return usagef("--older-than: give a positive time")
			}
			chosen := func(l *queue.Line) bool {
				if filter != "" && !topic.Match(filter, l.Topic) {
					return false
				}
				made, err := time.Parse(time.RFC3339, l.Time)
				return olderThan == 0 || err == nil && time.Since(made) > olderThan
			}
			total := 0
			err := q.each(c, args, func(one state.Queue, src queue.Source) error {
				n, err := purgeOne(c.Context(), src, chosen, yes)
				total += n
				if err == nil && n > 0 {
					verb := "would be deleted"
					if yes {
						verb = "deleted"
					}
					fmt.Fprintf(c.OutOrStdout(), "%s: %d messages %s\n", things.Escape(one.ClientID), n, verb)
				}
				return err
			})
			switch {
			case err != nil:
				return err
			case total == 0:
				fmt.Fprintln(c.OutOrStdout(), "there is nothing to delete")
			case !yes:
				return fmt.Errorf("nothing was deleted; say --yes to delete %d messages that were never delivered", total)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "delete; otherwise only count")
	c.Flags().StringVarP(&filter, "topic", "t", "", "only messages whose topic matches this filter")
	c.Flags().DurationVar(&olderThan, "older-than", 0, "only messages made longer ago")
	return c
}

func purgeOne(ctx context.Context, src queue.Source, chosen func(*queue.Line) bool, yes bool) (int, error) {
	var seqs []uint64
	err := src.Each(ctx, func(l queue.Line) error {
		if chosen(&l) {
			seqs = append(seqs, l.Seq)
		}
		return nil
	})
	if err != nil || !yes {
		return len(seqs), err
	}
	return src.Purge(ctx, seqs)
}
