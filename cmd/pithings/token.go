package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/agent/access"
	"pithings/spool/control"
)

func newToken() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke tokens for the web server",
		Long: `A token lets a program use the web server of an agent: it sends the header
"Authorization: Bearer TOKEN". Only its hash is kept, in the state folder. A token opens
nothing until a password is set (pithings passwd).`,
		Example: `  sudo pithings token add grafana --role look --from 10.0.0.0/8
  sudo pithings token list
  sudo pithings token revoke grafana`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newTokenAdd(), newTokenList(), newTokenRevoke())
	return c
}

func newTokenAdd() *cobra.Command {
	var q queueOptions
	var n agent.NewToken
	c := &cobra.Command{
		Use:     "add NAME",
		Short:   "Make a token and print it, once",
		Example: "  sudo pithings token add grafana --role look --from 10.0.0.0/8",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n.Name = args[0]
			var token string
			var password bool
			err := q.credentials(c,
				func(ctx context.Context, a *control.Client) (err error) {
					token, password, err = agent.AskToken(ctx, a, n)
					return err
				},
				func(d *access.Door) (err error) {
					token, err = n.Make(d)
					password = d.PasswordSet()
					return err
				})
			if err != nil {
				return err
			}
			if !password {
				fmt.Fprintln(c.ErrOrStderr(), "pithings: no password is set: until one is, this token works on this machine only (sudo pithings passwd)")
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), token)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&n.Role, "role", access.Look.String(), "what it may do: look, or act")
	f.StringSliceVar(&n.From, "from", nil, "network (CIDR) from which it may come; several with commas; default: from everywhere")
	q.agentFlags(f)
	return c
}

func newTokenList() *cobra.Command {
	var q queueOptions
	c := &cobra.Command{
		Use:   "list",
		Short: "List the tokens, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var all []access.Token
			err := q.credentials(c,
				func(ctx context.Context, a *control.Client) (err error) {
					all, err = agent.AskTokens(ctx, a)
					return err
				},
				func(d *access.Door) error {
					all = d.Tokens()
					return nil
				})
			if err != nil {
				return err
			}
			return printTokens(c.OutOrStdout(), all)
		},
	}
	q.agentFlags(c.Flags())
	return c
}

func printTokens(out io.Writer, all []access.Token) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tFROM\tCREATED\tUSED")
	for _, t := range all {
		var from []string
		for _, p := range t.From {
			from = append(from, p.String())
		}
		where, used := strings.Join(from, " "), t.Used
		if where == "" {
			where = "everywhere"
		}
		if used == "" {
			used = "never"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.Name, t.Role, where, t.Created.Format(time.DateOnly), used)
	}
	return w.Flush()
}

func newTokenRevoke() *cobra.Command {
	var q queueOptions
	c := &cobra.Command{
		Use:        "revoke NAME",
		SuggestFor: []string{"remove", "delete", "rm"},
		Short:      "Make a token worth nothing",
		Args:       cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return q.credentials(c,
				func(ctx context.Context, a *control.Client) error { return agent.AskRevoke(ctx, a, args[0]) },
				func(d *access.Door) error { return d.RevokeToken(args[0]) })
		},
	}
	q.agentFlags(c.Flags())
	return c
}
