package awsiot_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	cloudside "pithings/awsiot/cloud"
	"pithings/awsiot/command"
	"pithings/awsiot/defender"
	"pithings/awsiot/jobs"
	"pithings/awsiot/presence"
	"pithings/awsiot/provision"
	"pithings/awsiot/refuse"
	"pithings/awsiot/shadow"
	"pithings/conf"
	"pithings/device"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// servicePolicies allow a service each what it publishes and what it subscribes to, beside a policy
// that allows to connect. A resource of topics is that of filters, too: * of a policy stands for +.
func servicePolicies() map[string]policy {
	allow := func(publish, receive []string) policy {
		resources := func(kind string, topics []string) (all []string) {
			for _, topic := range topics {
				all = append(all, arn+kind+topic)
			}
			return all
		}
		p := policy{Version: "2012-10-17"}
		if len(publish) > 0 {
			p.Statement = append(p.Statement, statement{Effect: "Allow", Action: []string{"iot:Publish"}, Resource: resources("topic/", publish)})
		}
		p.Statement = append(p.Statement,
			statement{Effect: "Allow", Action: []string{"iot:Subscribe"}, Resource: resources("topicfilter/", receive)},
			statement{Effect: "Allow", Action: []string{"iot:Receive"}, Resource: resources("topic/", receive)})
		return p
	}
	const thing = "$aws/things/" + own
	requests := []string{"$aws/certificates/create-from-csr/*", "$aws/provisioning-templates/TEMPLATE/provision/*"}
	claim := allow(requests, requests)
	claim.Statement = slices.Insert(claim.Statement, 0, statement{Effect: "Allow", Action: []string{"iot:Connect"}, Resource: []string{arn + "client/pithings-claim-*"}})
	return map[string]policy{
		// A device that may answer everywhere below cmd/ could send commands to all others.
		"service-command.json":  allow([]string{"cmd/ac/" + own + "/*"}, []string{"cmd/ac/" + own + "/req"}),
		"service-shadow.json":   allow([]string{thing + "/shadow/*"}, []string{thing + "/shadow/*"}),
		"service-jobs.json":     allow([]string{thing + "/jobs/*"}, []string{thing + "/jobs/*"}),
		"service-defender.json": allow([]string{thing + "/defender/metrics/*"}, []string{thing + "/defender/metrics/*"}),
		"service-presence.json": allow(nil, []string{"$aws/events/presence/*/" + own}),
		"service-refuse.json":   allow(nil, []string{thing + "/tunnels/notify"}),
		"claim.json":            claim,
	}
}

// recorder is a connection that notes what a policy has to allow, as action and resource.
type recorder struct {
	*linktest.Client
	mu  sync.Mutex
	all []string
}

func (r *recorder) note(action, resource string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one := action + " " + resource; !slices.Contains(r.all, one) {
		r.all = append(r.all, one)
	}
}

func (r *recorder) Publish(ctx context.Context, m mqttlink.Message) error {
	r.note("iot:Publish", "topic/"+m.Topic)
	return r.Client.Publish(ctx, m)
}

func (r *recorder) Subscribe(filter string, qos byte, h mqttlink.Handler) (cancel func(), err error) {
	return r.SubscribeAll([]string{filter}, qos, h)
}

func (r *recorder) SubscribeAll(filters []string, qos byte, h mqttlink.Handler) (cancel func(), err error) {
	for _, f := range filters {
		r.note("iot:Subscribe", "topicfilter/"+f)
	}
	return r.Client.SubscribeAll(filters, qos, func(ctx context.Context, m mqttlink.Message) {
		r.note("iot:Receive", "topic/"+m.Topic)
		h(ctx, m)
	})
}

// The methods of provision.Link.
func (r *recorder) Await(ctx context.Context, _ ...string) error { return ctx.Err() }
func (r *recorder) Trouble() string                              { return "" }

// All that the services do in the course of their work, against the cloud side, is allowed by their
// policies, and by no policy of another thing.
func TestServicesDoWhatTheirPoliciesAllow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		links, quiet := map[string]*recorder{}, slog.New(slog.DiscardHandler)
		broker := linktest.New()
		defer broker.Close()
		link := func(name string) *recorder {
			links[name] = &recorder{Client: broker}
			return links[name]
		}
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		defer work.Wait()
		defer stop()
		run := func(s interface {
			Run(context.Context) error
		}) {
			work.Go(func() {
				if err := s.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		aws, err := cloudside.New(cloudside.Options{Client: broker, Templates: []cloudside.Template{{Name: "TEMPLATE", Parameters: []string{"S"}, ThingName: "{S}"}}})
		must(err)
		defer aws.Close()
		run(aws)
		synctest.Wait()

		sh, err := shadow.New(shadow.Options{Link: link("service-shadow.json"), Thing: "hall", Shadows: []shadow.Shadow{{Connected: true}, {Name: "camera"}, {Name: "door"}}})
		must(err)
		js, err := jobs.New(jobs.Options{Link: link("service-jobs.json"), Thing: "hall", Now: jobs.ThisBoot(), Store: jobs.File(filepath.Join(t.TempDir(), "job")), Handlers: map[string]jobs.Handler{
			"wait": func(context.Context, *jobs.Job) jobs.Result { return jobs.Done(nil) },
		}})
		must(err)
		commands := command.New(command.Options{Settings: command.Settings{Enabled: true, Timeout: conf.Duration{Duration: time.Minute}, Concurrent: 1}, Device: "hall", Link: link("service-command.json"), Log: quiet,
			Things:   func() []command.Thing { return nil },
			Diagnose: func(context.Context) (device.Values, error) { return device.Values{}, nil }})
		reports := defender.New(defender.Options{Settings: defender.Settings{Enabled: true, Interval: conf.Duration{Duration: 5 * time.Minute}, Format: "json", Names: "long"}, Thing: "hall", Log: quiet,
			Link: link("service-defender.json"), Root: fstest.MapFS{"proc/net/dev": {Data: []byte("\n\n")}, "proc/net/tcp": {}, "proc/net/udp": {}, "proc/net/tcp6": {}, "proc/net/udp6": {}}})
		run(sh)
		run(js)
		run(commands)
		run(reports)
		run(presence.New(presence.Options{Settings: presence.Settings{Enabled: true}, Client: "hall", Log: quiet, Link: link("service-presence.json")}))
		run(refuse.New(refuse.Options{Settings: refuse.Settings{Enabled: true}, Thing: "hall", Log: quiet, Link: link("service-refuse.json")}))
		synctest.Wait()
		sh.Online(true)
		js.Online(true)
		synctest.Wait()

		must(aws.CreateJob(ctx, cloudside.Job{ID: "j1", Document: json.RawMessage(`{"action":"wait"}`), Things: []string{"hall"}}))
		must(sh.Report("camera", map[string]any{"on": true}))
		for topic, payload := range map[string]string{
			shadow.Topic("hall", "door", shadow.Update): `{"state":{"desired":{"open":true}}}`,
			"cmd/ac/hall/req":                     `{"type":"diagnose","session-id":"s","response-topic":"cmd/ac/hall/res/app"}`,
			"$aws/events/presence/connected/hall": `{}`,
			"$aws/things/hall/tunnels/notify":     `{}`,
		} {
			must(broker.Publish(ctx, mqttlink.Message{Topic: topic, Payload: []byte(payload), QoS: 1}))
		}
		time.Sleep(10 * time.Minute) // of the bubble's clock: shadows are slow, and Defender reports
		registers(ctx, t, link("claim.json"))
		synctest.Wait()

		for name, l := range links {
			p := load(t, name)
			if len(l.all) < 2 || !slices.ContainsFunc(l.all, func(one string) bool { return strings.HasPrefix(one, "iot:Receive ") }) {
				t.Errorf("%s: the service does no more than %v", name, l.all)
			}
			for _, one := range l.all {
				action, resource, _ := strings.Cut(one, " ")
				if !p.allows("hall", action, resource) {
					t.Errorf("%s does not allow %s", name, one)
				}
				if name != "claim.json" && p.allows("porch", action, resource) {
					t.Errorf("%s allows another thing %s", name, one)
				}
			}
		}
		if p := load(t, "claim.json"); !p.allows("", "iot:Connect", "client/pithings-claim-0123456789abcdef") || p.allows("", "iot:Connect", "client/hall") {
			t.Error("the claim may connect with other client ids than its own, or not with that")
		}
	})
}

// registers gets an identity, as provision aws does.
func registers(ctx context.Context, t *testing.T, link *recorder) {
	t.Helper()
	p, err := provision.Begin(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer p.End()
	if _, err := p.Run(ctx, provision.Request{Template: "TEMPLATE", Parameters: map[string]string{"S": "pi-7"}, Endpoint: "mqtts://h"}, link); err != nil {
		t.Fatal(err)
	}
}

// What no service needs is allowed by none of them.
func TestServicePoliciesAllowNoMore(t *testing.T) {
	files, err := fs.Glob(deployed(), "service-*.json")
	if err != nil || len(files) != len(servicePolicies())-1 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, name := range files {
		p := load(t, name)
		for _, one := range []string{
			"iot:Connect client/hall", "iot:Publish topic/cmd/ac/porch/req", "iot:Subscribe topicfilter/cmd/ac/+/req", "iot:Subscribe topicfilter/#",
			"iot:Publish topic/$aws/things/porch/shadow/update", "iot:Subscribe topicfilter/$aws/things/+/jobs/notify-next",
			"iot:Publish topic/$aws/events/presence/connected/hall", "iot:Publish topic/$aws/things/hall/tunnels/notify", "iot:Subscribe topicfilter/$aws/things/hall/streams/s/data/json",
			"iot:Publish topic/hall:x/motion", "iot:RetainPublish topic/cmd/ac/hall/res",
		} {
			if action, resource, _ := strings.Cut(one, " "); p.allows("hall", action, resource) {
				t.Errorf("%s allows %s", name, one)
			}
		}
	}
}
