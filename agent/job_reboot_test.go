package agent

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pithings/agent/config"
	"pithings/awsiot/jobs"
	"pithings/hw/mock"
)

// A reboot goes through the administrator's socket alone, and has succeeded in another boot.
func TestJobReboot(t *testing.T) {
	t.Parallel()
	l := newLab(t, mock.Options{}, strings.Replace(withJobs, "enabled: true", "enabled: false", 1))
	c := l.cloud(l.agent.Endpoint())
	text := strings.Replace(withJobs, "[update-config]", "[reboot]", 1)
	cfg, _, err := config.Parse("test", []byte("broker: {listen: \"127.0.0.1:0\"}\n"+text), nil)
	if err != nil {
		t.Fatal(err)
	}
	short, err := os.MkdirTemp("", "reboot") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	place := filepath.Join(short, "s")
	boot := func(id string) (end func()) {
		s := &jobService{links: l.agent.links, rebooter: place, run: func() jobs.Mark { return jobs.Mark{Boot: id, Run: id} }}
		one, err := s.open(cfg, slog.New(slog.NewTextHandler(l.log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		u := begin(t.Context(), func(ctx context.Context) { _ = one.Run(ctx) })
		unfollow := l.agent.links.follow("", one.(onlooker).Online)
		return func() {
			unfollow()
			u.end()
		}
	}
	end := boot("first")
	c.wants("sealed", `{"operation": "reboot"}`, "REJECTED", "sudo systemctl enable --now pithings-reboot.socket")
	if err := os.WriteFile(place, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.wants("file", `{"operation": "reboot"}`, "REJECTED", "pithings-reboot.socket")
	if err := os.Remove(place); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", place)
	if err != nil {
		t.Fatal(err)
	}
	knocked := make(chan struct{}, 1)
	go func() {
		if c, err := socket.Accept(); err == nil {
			c.Close()
			knocked <- struct{}{}
		}
	}()
	c.job("now", `{"action": "reboot"}`)
	<-knocked
	end()
	socket.Close()
	if status := c.Executions("hall")[len(c.Executions("hall"))-1].Status; status != "IN_PROGRESS" {
		t.Errorf("in the boot before, it is %s", status)
	}
	defer boot("second")() // without the socket: what counts is the boot
	if e := c.ended("now"); e.Status != "SUCCEEDED" || e.Details["boot"] != "second" {
		t.Errorf("%s %v", e.Status, e.Details)
	}
}
