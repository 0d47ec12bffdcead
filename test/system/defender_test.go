//go:build system

package system

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pithings/awsiot/cloud"
	"pithings/awsiot/defender"
	"pithings/conf"
	"pithings/mqttlink"
	"pithings/test/binary"
	broker "pithings/test/mosquitto"
)

// A report of this machine goes through mosquitto to the cloud side, which accepts it.
func TestDefenderThroughMosquitto(t *testing.T) {
	sub := binary.Need(t, "mosquitto_sub")
	b := broker.Start(t)
	log := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 4)
	link := func(filter string) (l *mqttlink.Link, subscribed chan struct{}) {
		t.Helper()
		subscribed = make(chan struct{}, 1)
		l, err := mqttlink.New(mqttlink.Options{Endpoint: "mqtt://127.0.0.1:" + strconv.Itoa(b.Port), CleanSession: true, MaxQueued: -1, OnSuback: func(filters, _ []string) {
			if slices.Contains(filters, filter) {
				subscribed <- struct{}{}
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- l.Run(ctx) }()
		return l, subscribed
	}
	up, ready := link("$aws/things/+/defender/metrics/json")
	c, err := cloud.New(cloud.Options{Client: up, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- c.Run(ctx) }()
	<-ready
	topic := defender.Topic("pi", defender.JSON)
	listener := exec.Command(sub, "-p", strconv.Itoa(b.Port), "-v", "-q", "1", "-C", "2", "-W", "60", "-t", topic, "-t", topic+"/accepted", "-t", topic+"/rejected")
	var lines strings.Builder
	listener.Stdout = &lines
	if err := listener.Start(); err != nil {
		t.Fatal(err)
	}
	var settings defender.Settings
	conf.Fill(&settings)
	settings.Enabled, settings.Interval.Duration = true, 5*time.Second // mosquitto_sub is there before the first report
	down, _ := link("")
	s := defender.New(defender.Options{Settings: settings, Thing: "pi", Link: down, Dir: t.TempDir(), Log: log})
	go func() { ended <- s.Run(ctx) }()
	if err := listener.Wait(); err != nil {
		t.Errorf("mosquitto_sub: %v", err)
	}
	cancel()
	for range cap(ended) {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	got := strings.Split(lines.String(), "\n")
	name, payload, _ := strings.Cut(got[0], " ")
	var report struct {
		Header struct {
			ID int64 `json:"report_id"`
		}
		Metrics struct {
			TCP struct{ Ports []struct{ Port int } } `json:"listening_tcp_ports"`
		}
	}
	if err := json.Unmarshal([]byte(payload), &report); err != nil || name != topic {
		t.Fatalf("%v in %s", err, got[0])
	}
	if !slices.ContainsFunc(report.Metrics.TCP.Ports, func(p struct{ Port int }) bool { return p.Port == b.Port }) {
		t.Errorf("mosquitto's port %d is not reported: %s", b.Port, payload)
	}
	if !strings.HasPrefix(got[1], topic+"/accepted ") || !strings.Contains(got[1], fmt.Sprint(report.Header.ID)) {
		t.Errorf("the answer: %s", got[1])
	}
}
