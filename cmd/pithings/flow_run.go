package main

import (
	"github.com/spf13/cobra"
)

func newFlowRun() *cobra.Command {
	var (
		conn connection
		run  runOptions
		d    deployFlags

		hosts, nets []string
		secrets     string
	)
	c := &cobra.Command{
		Use:   "run [FILE…]",
		Short: "Run flows without any hardware: those of the files, and those deployed",
		Long: `run is a flow engine and nothing else, for a machine that serves a house full of
Pis. It runs the flows of the files as they are now, and those that are deployed
in its state folder (pithings flow deploy). Several of them with the same --shared
group share the events of the flows: each event is handled by one of them, and
they may come and go (docs/clusters.md).`,
		Example: `  pithings flow run -e mqtt://broker hall.yaml
  pithings flow run -e HOST -r root.pem -c cert.pem -k key.pem --state /var/lib/flows
  pithings flow run -e mqtt://broker --shared house --state ./engine1 hall.yaml`,
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if run.flows, err = d.request(args, c.InOrStdin()); err != nil {
				return err
			}
			m, err := conn.section(c)
			if err != nil {
				return err
			}
			cfg, err := parseConnection(c, map[string]any{"mqtt": m, "state": run.state, "services": map[string]any{"allow_hosts": hosts, "allow_nets": nets, "secrets": secrets}})
			if err != nil {
				return err
			}
			cfg.Log.Level = "info"
			if run.level != "" {
				cfg.Log.Level = run.level
			}
			return run.run(c.Context(), cfg, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	conn.add(f, seedLetters.with("client-id", "i"))
	addState(f, &run.state)
	f.StringVar(&run.level, "log", "", "least level logged: debug, info, warn or error")
	f.StringArrayVar(&hosts, "allow-host", nil, "a host that web services may be called at, besides those that their descriptions name; .example.com: all below it")
	f.StringArrayVar(&nets, "allow-net", nil, "a network (CIDR) in which web services may be called, such as 127.0.0.0/8 for this machine")
	f.StringVar(&secrets, "secrets", "", "folder with the secrets that web services' descriptions name, one in each file")
	d.addAll(f)
	return c
}
