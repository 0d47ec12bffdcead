package awsiot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/mqttlink"
)

func TestEndpoints(t *testing.T) {
	for _, tt := range []struct {
		endpoint, permission string // "" if it is no endpoint of AWS IoT Core
	}{
		{"mqtts://a1b2-ats.iot.eu-west-1.amazonaws.com", "iot:Publish on arn:aws:iot:eu-west-1:<account>:topic/t"},
		{"mqtts://a1b2-ats.iot.eu-west-1.amazonaws.com:443", "iot:Publish on arn:aws:iot:eu-west-1:<account>:topic/t"},
		{"wss://A1B2-ATS.IOT.US-EAST-1.AMAZONAWS.COM/mqtt", "iot:Publish on arn:aws:iot:us-east-1:<account>:topic/t"},
		{"a1b2.iot.us-east-1.amazonaws.com", "iot:Publish on arn:aws:iot:us-east-1:<account>:topic/t"}, // legacy
		{"a1b2.iot.us-east-1.amazonaws.com.:8883", "iot:Publish on arn:aws:iot:us-east-1:<account>:topic/t"},
		{"a1b2.ats.iot.cn-north-1.amazonaws.com.cn:8883", "iot:Publish on arn:aws-cn:iot:cn-north-1:<account>:topic/t"},
		{"data.iot-fips.us-gov-west-1.amazonaws.com", "iot:Publish on arn:aws-us-gov:iot:us-gov-west-1:<account>:topic/t"},
		{"vpce-1-a.data.iot.us-east-1.vpce.amazonaws.com", "iot:Publish on arn:aws:iot:us-east-1:<account>:topic/t"},
		{"a1b2.credentials.iot.us-east-1.amazonaws.com", ""},
		{"b-1234.mq.eu-west-1.amazonaws.com", ""}, // Amazon MQ: another broker
		{"a1b2-ats.iot.eu-west-1.amazonaws.com.example.org", ""},
		{"iot.eu-west-1.amazonaws.com", ""}, // the control plane
		{"a1b2-ats.iot.amazonaws.com", ""},
		{"mqtt://localhost:1883", ""},
		{"192.168.0.7", ""},
		{"[fd00::7]:1883", ""},
		{"", ""},
	} {
		l, drain, ok := Limits(tt.endpoint)
		if ok != (tt.permission != "") {
			t.Errorf("%s: recognised %v", tt.endpoint, ok)
			continue
		}
		if !ok {
			continue
		}
		if got := l.Rules.Permission("t", false); got != tt.permission {
			t.Errorf("%s: %s, want %s", tt.endpoint, got, tt.permission)
		}
		if drain != 80 || l.Rate != 100 || l.MaxPayload != 131072 {
			t.Errorf("%s: drain %v, limits %+v", tt.endpoint, drain, l)
		}
	}
	l, _ := Custom("")
	if got, want := l.Rules.Permission("a/#", true), "iot:Subscribe on arn:aws:iot:<region>:<account>:topicfilter/a/#"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What AWS would answer by closing the connection is refused before it is sent,
// with a line that names the limit and where it is written.
func TestRefusedBeforeSending(t *testing.T) {
	l, err := mqttlink.New((&cloud{}).options(t))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 256)
	for _, tt := range []struct {
		name string
		m    mqttlink.Message
		want string // in the error; "" if it is taken
	}{
		{"payload at the limit", mqttlink.Message{Topic: "t", Payload: make([]byte, 131072)}, ""},
		{"payload above it", mqttlink.Message{Topic: "t", Payload: make([]byte, 131073)}, "131073 bytes, but AWS IoT Core allows 131072"},
		{"topic at the limit", mqttlink.Message{Topic: long}, ""},
		{"topic above it", mqttlink.Message{Topic: long + "x"}, "257 bytes, but AWS IoT Core allows 256"},
		{"seven slashes", mqttlink.Message{Topic: "1/2/3/4/5/6/7/8"}, ""},
		{"eight slashes", mqttlink.Message{Topic: "1/2/3/4/5/6/7/8/9"}, "8 slashes, but AWS IoT Core allows 7"},
		{"Basic Ingest at both limits", mqttlink.Message{Topic: "$aws/rules/r/1/2/3/4/5/6/7/" + long[:242]}, ""},
		{"Basic Ingest too deep", mqttlink.Message{Topic: "$aws/rules/r/1/2/3/4/5/6/7/8/9"}, "8 slashes, but AWS IoT Core allows 7"},
		{"QoS 2", mqttlink.Message{Topic: "t", QoS: 2}, "only QoS 0 and 1"},
		{"shadow", mqttlink.Message{Topic: "$aws/things/porch/shadow/update"}, ""},
		{"named shadow", mqttlink.Message{Topic: "$aws/things/porch/shadow/name/light/update"}, ""},
		{"job", mqttlink.Message{Topic: "$aws/things/porch/jobs/start-next"}, ""},
		{"Defender", mqttlink.Message{Topic: "$aws/things/porch/defender/metrics/json"}, ""},
		{"provisioning", mqttlink.Message{Topic: "$aws/provisioning-templates/t/provision/json"}, ""},
		{"certificates", mqttlink.Message{Topic: "$aws/certificates/create-from-csr/json"}, ""},
		{"retained shadow", mqttlink.Message{Topic: "$aws/things/porch/shadow/update", Retain: true}, "cannot be retained"},
		{"events are for listening", mqttlink.Message{Topic: "$aws/events/presence/connected/porch"}, "reserved ones"},
		{"reserved, but unknown", mqttlink.Message{Topic: "$aws/things/porch/other"}, "reserved ones"},
		{"$SYS", mqttlink.Message{Topic: "$SYS/uptime"}, "reserved ones"},
		{"wildcard", mqttlink.Message{Topic: "a/+"}, "for subscriptions only"},
	} {
		err := l.Publish(t.Context(), tt.m)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		var limit *mqttlink.LimitError
		var rule *mqttlink.RuleError
		if (errors.As(err, &limit) || errors.As(err, &rule)) && !strings.Contains(err.Error(), "(https://docs.aws.amazon.com/") {
			t.Errorf("%s does not tell its source: %v", tt.name, err)
		}
	}
	none := func(context.Context, mqttlink.Message) {}
	for _, tt := range []struct{ filter, want string }{
		{"$aws/things/porch/shadow/update/delta", ""},
		{"$aws/things/porch/shadow/#", ""},
		{"$aws/things/+/jobs/notify-next", ""},
		{"$aws/things/porch/tunnels/notify", ""},
		{"$aws/events/presence/#", ""},
		{"$share/workers/a/b", ""},
		{"$share/workers/1/2/3/4/5/6/7/8", ""},
		{"$share/workers/1/2/3/4/5/6/7/8/9", "8 slashes"},
		{"$share/workers/$SYS/#", "reserved ones"},
		{"$aws/rules/r/t", "Basic Ingest"},
		{"$SYS/#", "reserved ones"},
		{"$aws/things/porch/x", "reserved ones"},
		{"+/+/+/+/+/+/+/+/#", "8 slashes"},
	} {
		_, err := l.Subscribe(tt.filter, 1, none)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("filter %s: %v, want %q", tt.filter, err, tt.want)
		}
	}
	if _, err := l.Subscribe("t", 2, none); !errors.Is(err, mqttlink.ErrQoS) {
		t.Errorf("QoS 2: %v", err)
	}
}

func TestFiftySubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{}
		l, stop := c.start(t, c.options(t))
		none := func(context.Context, mqttlink.Message) {}
		var err error
		for i := range 51 {
			if _, err = l.Subscribe(fmt.Sprint("f", i), 1, none); err != nil && i < 50 {
				t.Fatal(err)
			}
		}
		if err == nil || !strings.Contains(err.Error(), "51 filters, but AWS IoT Core allows 50") {
			t.Errorf("the 51st: %v", err)
		}
		time.Sleep(time.Minute)
		stop()
		if c.connects != 1 || len(c.breaches) > 0 {
			t.Errorf("%d connections, breaches %v", c.connects, c.breaches)
		}
	})
}

func TestOptionsBeyondLimits(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*mqttlink.Options)
		want string
	}{
		{"long client id", func(o *mqttlink.Options) { o.ClientID = strings.Repeat("x", 129) }, "129 bytes, but AWS IoT Core allows 128"},
		{"reserved client id", func(o *mqttlink.Options) { o.ClientID = "$x" }, "ids that begin with $ are reserved"},
		{"window", func(o *mqttlink.Options) { o.Window = 101 }, "101 messages, but AWS IoT Core allows 100"},
		{"keep-alive", func(o *mqttlink.Options) { o.KeepAlive = time.Hour }, "3600 seconds, but AWS IoT Core allows 1200"},
		{"retained will on a reserved topic", func(o *mqttlink.Options) {
			o.Will = &mqttlink.Message{Topic: "$aws/things/porch/shadow/update", Retain: true}
		}, "cannot be retained"},
	} {
		o := (&cloud{}).options(t)
		tt.set(&o)
		if _, err := mqttlink.New(o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// AWS discards above 100 messages a second without an error. So a backlog goes out
// at 80 a second, and a burst of new messages waits for its turn.
func TestNothingIsDiscarded(t *testing.T) {
	for _, tt := range []struct {
		name         string
		qos          byte
		backlog      int
		live         int
		atMost, more time.Duration
	}{
		{"backlog", 1, 800, 0, 10 * time.Second, 9900 * time.Millisecond},
		{"live burst", 1, 0, 910, 10*time.Second + 10*time.Millisecond, 9900 * time.Millisecond},
		{"live burst without acknowledgement", 0, 0, 910, 10*time.Second + 10*time.Millisecond, 9900 * time.Millisecond},
		{"a few live messages", 1, 0, 10, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cloud{}
				o := c.options(t)
				l, err := mqttlink.New(o)
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				for i := range tt.backlog + tt.live {
					want = append(want, fmt.Sprint(i))
				}
				publish(t, l, "t", tt.qos, want[:tt.backlog]...)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- l.Run(ctx) }()
				if tt.live > 0 {
					synctest.Wait() // online, and the outbox found empty
				}
				start := time.Now()
				publish(t, l, "t", tt.qos, want[tt.backlog:]...)
				if err := l.Flush(ctx); err != nil {
					t.Fatal(err)
				}
				if d := time.Since(start); d > tt.atMost || d < tt.more {
					t.Errorf("took %s, want %s to %s", d, tt.more, tt.atMost)
				}
				if got := c.payloads("t"); c.discarded > 0 || !slices.Equal(got, want) {
					t.Errorf("%d of %d messages arrived, %d discarded", len(got), len(want), c.discarded)
				}
				if n := c.busiest(); n > 100 {
					t.Errorf("%d messages in a second", n)
				}
				if n := l.Stats().Throttled; (n > 0) != (tt.live > 100) {
					t.Errorf("%d throttled", n)
				}
				cancel()
				<-done
				c.wg.Wait()
			})
		})
	}
}

func TestThroughput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{}
		l, stop := c.start(t, c.options(t))
		synctest.Wait()
		start := time.Now()
		for range 20 {
			publish(t, l, "t", 1, strings.Repeat("x", 100<<10))
		}
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 4*time.Second || d > 5*time.Second { // 2,000 KB at nine tenths of 512 KB/s
			t.Errorf("2,000 KB took %s", d)
		}
		stop()
	})
}

func TestPolicyForbidsConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{noConnect: true}
		l, stop := c.start(t, c.options(t))
		synctest.Wait()
		if got := l.Stats().LastError; !strings.Contains(got, "not authorised (code 7)") || !strings.Contains(got, `"porch"`) {
			t.Errorf("%q", got)
		}
		stop()
	})
}

// AWS takes one CONNECT a second for a client id.
func TestConnectRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{forbidden: []string{"#"}}
		o := c.options(t)
		o.Backoff = mqttlink.Backoff{Min: time.Millisecond, Max: time.Millisecond}
		l, stop := c.start(t, o)
		if _, err := l.Subscribe("a", 1, func(context.Context, mqttlink.Message) {}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Second + 500*time.Millisecond) // between two attempts
		if got := l.Stats().LastError; !strings.Contains(got, "iot:Subscribe on arn:aws:iot:eu-west-1:<account>:topicfilter/a") {
			t.Errorf("the explanation names no permission: %q", got)
		}
		stop()
		if len(c.breaches) > 0 || c.connects < 9 {
			t.Errorf("%d connections, breaches %v", c.connects, c.breaches)
		}
	})
}
