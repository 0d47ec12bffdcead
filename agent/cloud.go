package agent

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"pithings/awsiot/cloud"
	"pithings/mqttlink"
	"pithings/mqttlink/broker"
)

// simulatedCloud serves device shadows, jobs, provisioning and Defender at the embedded broker of
// a simulation, where AWS IoT Core would: over a connection of its own, as pithings cloud does.
type simulatedCloud struct {
	*cloud.Cloud // its routes are for pithings cloud job
	link         *mqttlink.Link
	subscribed   chan struct{} // closed when the broker has taken the subscriptions
	log          *slog.Logger
	work         sync.WaitGroup
	stop         context.CancelFunc
	err          error // of the cloud, once work is done
}

// cloudName is also the client id of pithings cloud, of which one is enough for a broker.
const cloudName = "cloud"

// simulatedTemplate is what devices may register by.
var simulatedTemplate = cloud.Template{Name: "fleet", Parameters: []string{"SerialNumber"}, ThingName: "pi-{SerialNumber}"}

// subscribeWait is how long the services that use the cloud wait for it to listen, in the same
// process.
const subscribeWait = 5 * time.Second

// newCloud makes the cloud of a simulation, whose state is in the state folder.
func newCloud(b *broker.Broker, f *folder, log *slog.Logger) (*simulatedCloud, error) {
	if err := f.own(); err != nil {
		return nil, err
	}
	log = log.With("service", cloudName)
	s := &simulatedCloud{subscribed: make(chan struct{}), log: log}
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.ClientID, o.Log = strings.Replace(b.Endpoint(), "mqtts:", "mqtt:", 1), "pithings-cloud", log // as links.open has it
	o.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return b.Dial(ctx) }
	first := sync.OnceFunc(func() { close(s.subscribed) })
	answered := 0
	o.OnSuback = func(filters, _ []string) { // called by one goroutine
		if answered += len(filters); answered >= len(s.Filters()) {
			first()
		}
	}
	var err error
	if s.link, err = mqttlink.New(o); err != nil {
		return nil, err
	}
	s.Cloud, err = cloud.New(cloud.Options{Client: s.link, Dir: filepath.Join(f.Dir, cloudName), Templates: []cloud.Template{simulatedTemplate}, Log: log})
	return s, err
}

// Name implements Service.
func (*simulatedCloud) Name() string { return cloudName }

// Start implements Starter: the services behind it find a cloud that answers.
func (s *simulatedCloud) Start(ctx context.Context) error {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx)) // Run ends it
	s.work.Go(func() { s.err = errors.Join(s.err, s.link.Run(ctx)) })
	s.work.Go(func() { again(ctx, s.log, cloudName, s.Cloud.Run) })
	limit, cancel := context.WithTimeout(ctx, subscribeWait)
	defer cancel()
	select {
	case <-s.subscribed:
	case <-limit.Done():
		s.log.Warn("requests are not subscribed to yet")
	}
	return nil
}

// Run ends the cloud behind all that use it.
func (s *simulatedCloud) Run(ctx context.Context) error {
	<-ctx.Done()
	s.stop()
	s.work.Wait()
	return s.err
}
