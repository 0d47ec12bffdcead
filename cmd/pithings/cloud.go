package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"pithings/awsiot/cloud"
	"pithings/awsiot/provision"
	"pithings/mqttlink"
	"pithings/mqttlink/durable"
	"pithings/spool/control"
)

func newCloud() *cobra.Command {
	o := cloudOptions{}
	c := &cobra.Command{
		Use:   "cloud",
		Short: "Serve device shadows, jobs, provisioning and Defender at your own broker",
		Long: `cloud is the cloud side of AWS IoT Core for things at a broker of your own, such as
one mosquitto: it answers the requests for device shadows and jobs, and checks
Device Defender's reports, with AWS's topics, documents, limits and refusals. With
--template it also registers new devices by fleet provisioning. All that it keeps is
in the folder --state. See docs/cloud.md for the access list of the broker.`,
		Example: `  pithings cloud -e mqtt://127.0.0.1 --state cloud
  pithings cloud -e HOST -r ca.pem -c cloud.pem -k cloud.key --state cloud --template fleet.yaml
  pithings cloud job create pi1 update.json --state cloud`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	f := c.Flags()
	o.conn.add(f, seedLetters.with("client-id", "i"))
	o.conn.id = "pithings-cloud"
	f.Lookup("client-id").DefValue = o.conn.id
	f.StringVar(&o.state, "state", "", "`FOLDER` for shadows, jobs and certificates")
	f.StringArrayVar(&o.templates, "template", nil, "register devices by this template, a YAML `FILE`; may be given several times")
	f.StringVar(&o.caCert, "issuer-cert", "", "sign their certificates with this authority, a PEM `FILE` (default: ca.pem in the state folder, made the first time)")
	f.StringVar(&o.caKey, "issuer-key", "", "the private key of --issuer-cert, a PEM `FILE`")
	f.BoolVar(&o.createKeys, "create-keys", false, "also make devices' keys; whoever may subscribe to the answers sees them")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log what the connection does, too")
	c.AddCommand(newCloudJob(), newCloudShadow())
	return c
}

type cloudOptions struct {
	conn                 connection
	state, caCert, caKey string
	templates            []string
	createKeys, verbose  bool
}

// cloudSocket is where the cloud of a state folder is managed.
func cloudSocket(state string) string { return filepath.Join(state, "socket") }

var errNoCloudState = usagef("--state is missing: name the folder in which the cloud keeps shadows and jobs, for example --state cloud")

// options reads the files that the flags name.
func (o *cloudOptions) options() (cloud.Options, error) {
	all := cloud.Options{Dir: o.state, CreateKeys: o.createKeys}
	switch {
	case o.state == "":
		return all, errNoCloudState
	case (o.caCert == "") != (o.caKey == ""):
		return all, usagef("--issuer-cert and --issuer-key belong together: an authority's certificate and its private key")
	case (o.createKeys || o.caCert != "") && len(o.templates) == 0:
		return all, usagef("--create-keys and --issuer-cert are about provisioning: give --template FILE, too")
	}
	for _, file := range o.templates {
		text, err := durable.ReadFile(file, 1<<20)
		if err != nil {
			return all, fmt.Errorf("--template: %w", err)
		}
		t, err := cloud.ReadTemplate(file, text)
		if err != nil {
			return all, usageError{fmt.Errorf("--template: %w", err)}
		}
		all.Templates = append(all.Templates, t)
	}
	if o.caCert == "" {
		return all, nil
	}
	var err error
	if all.CACert, err = durable.ReadFile(o.caCert, 1<<20); err != nil {
		return all, fmt.Errorf("--issuer-cert: %w", err)
	}
	if err := provision.CheckGiven(o.caKey); err != nil {
		return all, fmt.Errorf("--issuer-key: %w", err)
	}
	if all.CAKey, err = durable.ReadFile(o.caKey, 1<<20); err != nil {
		return all, fmt.Errorf("--issuer-key: %w", err)
	}
	return all, nil
}

func (o *cloudOptions) run(c *cobra.Command) error {
	options, err := o.options()
	if err != nil {
		return err
	}
	link, err := o.conn.options(c)
	if err != nil {
		return err
	}
	if isAWS(link.Endpoint) {
		return usagef("%s has these services itself: pithings cloud is for other brokers", withoutUser(link.Endpoint))
	}
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	log := newLog(c.ErrOrStderr(), level, false)
	link.Log, link.CleanSession, link.Will = log, true, nil
	var answered cloudSubscriptions
	link.OnSuback = func(filters, refused []string) { answered.note(log, filters, refused) }
	l, err := mqttlink.New(link)
	if err != nil {
		return err
	}
	options.Client, options.Log = l, log
	served, err := cloud.New(options)
	if err != nil {
		return err
	}
	answered.all = len(served.Filters())
	return errors.Join(serveCloud(c.Context(), served, l, o.state, log), served.Close())
}

// cloudSubscriptions counts what the broker answers to subscriptions.
type cloudSubscriptions struct{ all, answered, taken int }

// note logs what is refused, and when all are answered. It is called by one goroutine.
func (s *cloudSubscriptions) note(log *slog.Logger, filters, refused []string) {
	for _, f := range refused {
		log.Error("the broker refuses a subscription: requests on it are not served; allow it in the broker's access list", "topic", f)
	}
	s.answered += len(filters)
	s.taken += len(filters) - len(refused)
	if s.answered >= s.all {
		log.Info("subscribed to requests", "n", s.taken)
		s.answered, s.taken = 0, 0 // of the next session
	}
}

// serveCloud runs the cloud, its socket and its connection until ctx is done, or one fails.
// The connection ends last, when it has sent the last answers.
func serveCloud(ctx context.Context, served *cloud.Cloud, l *mqttlink.Link, state string, log *slog.Logger) error {
	socket, err := control.Listen(cloudSocket(state), log)
	if err != nil {
		return err
	}
	defer socket.Close()
	socket.Serve(served.Routes()...)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	linked, unlink := context.WithCancel(context.WithoutCancel(ctx))
	defer unlink()
	var running sync.WaitGroup
	var cloudErr, socketErr error
	running.Go(func() {
		cloudErr = served.Run(ctx)
		cancel()
		unlink()
	})
	running.Go(func() {
		socketErr = socket.Run(ctx)
		cancel()
	})
	linkErr := l.Run(linked)
	cancel()
	running.Wait()
	return errors.Join(linkErr, cloudErr, socketErr)
}

// readDocument reads JSON from an argument, a file, or standard input.
func readDocument(c *cobra.Command, from string) ([]byte, error) {
	switch {
	case len(from) > 0 && from[0] == '{':
		return []byte(from), nil
	case from == "-":
		return readAtMost(c.InOrStdin(), 1<<20)
	}
	text, err := durable.ReadFile(from, 1<<20)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: give a file, - for standard input, or an object of JSON in quotes", err)
	}
	return text, err
}
