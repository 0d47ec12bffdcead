package agent

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/awsiot/cloud"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/spool/control"
)

// A simulation has the cloud side of AWS IoT Core at its broker, before the first service asks it
// something, and its socket manages the jobs; an agent with real parts has none of it.
func TestCloudOfASimulation(t *testing.T) {
	l := &lab{t: t, board: mock.New(mock.Options{}), folder: t.TempDir(), log: &syncBuffer{}, more: make(chan struct{}, 1), simulated: true}
	t.Cleanup(func() { l.stop(); l.board.Close() })
	l.start(twoThings + "mqtt: {client_id: hall}\nawsiot: {defender: {enabled: true}}\n")
	listen := func(topics ...string) {
		cancel, err := l.listener.SubscribeAll(topics, 1, l.hear)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cancel)
	}
	listen("$aws/things/hall/shadow/update/+", "$aws/things/hall/jobs/notify-next", "$aws/provisioning-templates/fleet/provision/json/rejected")
	l.until("the subscriptions", func() bool { // which are answered by the broker, and not by an event here
		l.publish("$aws/things/hall/shadow/update", `{"state":{"desired":{"debug":"on"}}}`)
		limit, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return l.messageWithin(limit, "$aws/things/hall/shadow/update/accepted") != ""
	})
	l.publish("$aws/provisioning-templates/fleet/provision/json", `{"certificateOwnershipToken":"none","parameters":{"SerialNumber":"7"}}`)
	l.message("$aws/provisioning-templates/fleet/provision/json/rejected")

	client := control.NewClient(l.agent.folder.Socket())
	defer client.Close()
	job := cloud.JobRequest{ID: "one", Document: json.RawMessage(`{"operation":"restart"}`), Things: []string{"hall"}}
	if err := client.Do(t.Context(), http.MethodPost, cloud.JobsPath, job, nil); err != nil {
		t.Fatal(err)
	}
	if got := l.message("$aws/things/hall/jobs/notify-next"); !strings.Contains(got, `"jobId":"one"`) {
		t.Errorf("notified of %s", got)
	}
	var all []cloud.Execution
	if err := client.Do(t.Context(), http.MethodGet, cloud.JobsPath, nil, &all); err != nil || len(all) != 1 || all[0].Thing != "hall" || all[0].Status != "QUEUED" {
		t.Errorf("%+v, %v", all, err)
	}
	if i := slices.IndexFunc(l.agent.services, func(s registered) bool { return s.Name() == cloudName }); i < 0 ||
		slices.IndexFunc(l.agent.services, func(s registered) bool { return s.Name() == linksName }) < i {
		t.Error("the cloud does not begin before what asks it")
	}

	l.stop()
	l.simulated, l.folder = false, t.TempDir()
	l.start(twoThings)
	if slices.ContainsFunc(l.agent.services, func(s registered) bool { return s.Name() == cloudName }) {
		t.Error("an agent with real parts has a cloud")
	}
}

// messageWithin is message, but "" if there is none until ctx is done.
func (l *lab) messageWithin(ctx context.Context, topic string) string {
	for {
		l.mu.Lock()
		i := slices.IndexFunc(l.heard, func(m mqttlink.Message) bool { return m.Topic == topic })
		if i >= 0 {
			defer l.mu.Unlock()
			return string(l.heard[i].Payload)
		}
		l.mu.Unlock()
		select {
		case <-l.more:
		case <-ctx.Done():
			return ""
		}
	}
}
