package cloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/awsiot/cloud"
	"pithings/awsiot/cloud/cloudtest"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// running is a cloud that serves at a broker in memory. What it publishes is in messages.
type running struct {
	t        *testing.T
	cloud    *cloud.Cloud
	client   *linktest.Client
	messages int // read
	stop     func()
}

func serve(t *testing.T, o cloud.Options) *running {
	t.Helper()
	r := &running{t: t, client: linktest.New()}
	o.Client = r.client
	c, err := cloud.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.cloud = c
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	r.stop = sync.OnceFunc(func() {
		cancel()
		ended.Wait()
		r.client.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	for !r.client.Subscribed("$aws/things/+/shadow/get") {
		time.Sleep(time.Millisecond)
	}
	return r
}

// publish publishes as a device does.
func (r *running) publish(topic, payload string) {
	r.t.Helper()
	if err := r.client.Inject(mqttlink.Message{Topic: topic, Payload: []byte(payload), QoS: 1}); err != nil {
		r.t.Fatal(err)
	}
}

// next is the next message of the cloud.
func (r *running) next() (topic, payload string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	r.messages++
	m, err := r.client.WaitFor(ctx, "$aws/#", r.messages)
	if err != nil {
		r.t.Fatalf("no further message: %v", err)
	}
	return m.Topic, string(m.Payload)
}

func (r *running) do(command, arguments string) error {
	words := strings.SplitN(arguments, " ", 3)
	switch command {
	case "create-job":
		return r.cloud.CreateJob(r.t.Context(), cloud.Job{ID: words[0], Things: words[1:2], Document: json.RawMessage(words[2])})
	case "cancel-job":
		_, err := r.cloud.CancelJob(r.t.Context(), words[0], false)
		return err
	}
	return errors.New("unknown command")
}

func TestTranscripts(t *testing.T) {
	for _, name := range cloudtest.Names(t) {
		t.Run(name, func(t *testing.T) {
			r := serve(t, cloudtest.Options())
			(&cloudtest.Player{Publish: r.publish, Next: r.next, Do: r.do}).Play(t, name)
		})
	}
}

// What a cloud knows survives its end: shadows with their versions, deleted ones too, queues
// of jobs and their timers.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := serve(t, cloud.Options{Dir: dir})
		r.publish("$aws/things/pi/shadow/update", `{"state":{"reported":{"a":1}}}`)
		r.publish("$aws/things/pi/shadow/name/x/update", `{"state":{"reported":{"a":1}}}`)
		r.publish("$aws/things/pi/shadow/name/x/delete", ``)
		synctest.Wait()
		if err := r.do("create-job", `j1 pi {"a":1}`); err != nil {
			t.Fatal(err)
		}
		r.publish("$aws/things/pi/jobs/start-next", `{"stepTimeoutInMinutes":1}`)
		synctest.Wait()
		r.stop()

		r = serve(t, cloud.Options{Dir: dir})
		r.publish("$aws/things/pi/shadow/update", `{"state":{"reported":{"a":2}},"version":1}`)
		if topic, payload := r.next(); topic != "$aws/things/pi/shadow/update/accepted" || !strings.Contains(payload, `"version":2`) {
			t.Errorf("%s %s", topic, payload)
		}
		r.next() // documents
		r.publish("$aws/things/pi/shadow/name/x/update", `{"state":{"reported":{"a":2}},"version":1}`)
		if topic, payload := r.next(); topic != "$aws/things/pi/shadow/name/x/update/accepted" || !strings.Contains(payload, `"version":2`) {
			t.Errorf("%s %s", topic, payload)
		}
		r.next() // documents
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if got := r.cloud.Executions("pi"); len(got) != 1 || got[0].Status != "IN_PROGRESS" {
			t.Errorf("%+v", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := r.cloud.Executions("pi"); len(got) != 1 || got[0].Status != "TIMED_OUT" {
			t.Errorf("%+v", got)
		}
		if topic, payload := r.next(); topic != "$aws/things/pi/jobs/notify" || !strings.Contains(payload, `"jobs":{}`) {
			t.Errorf("%s %s", topic, payload)
		}
		if topic, payload := r.next(); topic != "$aws/things/pi/jobs/notify-next" || strings.Contains(payload, `execution`) {
			t.Errorf("%s %s", topic, payload)
		}
	})
}

// A thing that asks more often than 20 times a second is refused, others are not.
func TestShadowRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, cloud.Options{})
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		for range 25 {
			r.publish("$aws/things/busy/shadow/get", ``)
		}
		r.publish("$aws/things/other/shadow/get", ``)
		synctest.Wait()
		time.Sleep(time.Second)
		r.publish("$aws/things/busy/shadow/get", ``)
		synctest.Wait()
		codes := map[string]int{}
		for _, m := range r.client.Published("$aws/#") {
			codes[strings.Split(m.Topic, "/")[2]+string(m.Payload[7:11])]++
		}
		want := map[string]int{"busy:404": 21, "busy:429": 5, "other:404": 1}
		if fmt.Sprint(codes) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", codes, want)
		}
	})
}

// A disk that cannot be written refuses what changes, and nothing of it counts.
func TestFullState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, cloud.Options{MaxBytes: 300})
		r.publish("$aws/things/pi/shadow/update", `{"state":{"reported":{"a":1}}}`)
		r.next()
		r.next()
		r.publish("$aws/things/pi/shadow/update", `{"state":{"reported":{"b":"`+strings.Repeat("x", 300)+`"}},"clientToken":"t"}`)
		if topic, payload := r.next(); topic != "$aws/things/pi/shadow/update/rejected" || !strings.HasPrefix(payload, `{"code":500,"message":"Internal service failure"`) || !strings.HasSuffix(payload, `"clientToken":"t"}`) {
			t.Errorf("%s %s", topic, payload)
		}
		if err := r.do("create-job", `j1 pi {"a":"`+strings.Repeat("x", 300)+`"}`); err == nil {
			t.Error("a job in a full state")
		}
		if got := r.cloud.Executions(""); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		r.publish("$aws/things/pi/shadow/update", `{"state":{"reported":{"a":2}},"version":1}`)
		if topic, payload := r.next(); topic != "$aws/things/pi/shadow/update/accepted" {
			t.Errorf("%s %s", topic, payload)
		}
	})
}

func TestManyShadows(t *testing.T) {
	const n = 10_000
	dir := t.TempDir()
	r := serve(t, cloud.Options{Dir: dir, ShadowRate: -1})
	began := time.Now()
	for i := range n {
		r.publish(fmt.Sprintf("$aws/things/pi%d/shadow/update", i), `{"state":{"reported":{"temperature":21.5,"humidity":40,"connected":true,"version":"1.2.3"},"desired":{"debug":false}}}`)
		if i%100 == 99 { // as many as a broker has in flight
			r.messages = 299
			r.next()
			r.client.Forget()
		}
	}
	t.Logf("%d updates answered in %v", n, time.Since(began).Round(time.Millisecond))
	r.stop()
	began = time.Now()
	r = serve(t, cloud.Options{Dir: dir})
	t.Logf("opened in %v", time.Since(began).Round(time.Millisecond))
	r.publish("$aws/things/pi9999/shadow/get", ``)
	if topic, payload := r.next(); topic != "$aws/things/pi9999/shadow/get/accepted" {
		t.Errorf("%s %s", topic, payload)
	}
	st, err := os.Stat(filepath.Join(dir, "journal"))
	if err != nil || st.Size() > 10<<20 {
		t.Errorf("the journal has %d bytes: %v", st.Size(), err)
	}
	t.Logf("the journal has %d bytes", st.Size())
}
