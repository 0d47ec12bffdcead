package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"pithings/agent/doctor"
	"pithings/hw/probe"
	"pithings/spool/control"
	"pithings/spool/pub"
	"pithings/spool/state"
)

// runningAgents reports the agents that run here, and how their connections are.
func runningAgents(ctx context.Context, places control.Places) (report doctor.Report) {
	agents, denied := places.Find(ctx)
	for i := range agents {
		report = append(report, agentResult(ctx, &agents[i]))
		report = append(report, copiedQueues(&agents[i])...)
	}
	if denied {
		report = append(report, probe.Result{Part: "agent", Status: probe.Note, Found: "a service runs here, which this user may not talk with",
			Fix: "sudo usermod -aG " + control.Group + " $USER, and log in again; or ask with sudo"})
	}
	return report
}

func agentResult(ctx context.Context, a *control.Agent) probe.Result {
	r := probe.Result{Part: "agent", Status: probe.OK, Found: fmt.Sprintf("%s, version %s", a, cmp.Or(a.Version, "unknown"))}
	if a.Web != "" {
		scheme := "http"
		if a.HTTPS {
			scheme = "https"
		}
		r.Found += ", " + scheme + "://" + a.Web
	}
	c := control.NewClient(a.Socket)
	defer c.Close()
	all, err := pub.Connections(ctx, c)
	if err != nil {
		r.Status, r.Problem = probe.Warn, err.Error()
		return r
	}
	for _, one := range all {
		r.Found += fmt.Sprintf(", %s with %s", one.State, one.Endpoint)
		if one.Error != "" && r.Problem == "" {
			r.Status, r.Problem = probe.Warn, fmt.Sprintf("%d messages wait: %s", one.Messages, one.Error)
		}
	}
	return r
}

// copiedQueues warns of what an agent's state folder has of another machine.
func copiedQueues(a *control.Agent) (report doctor.Report) {
	of := state.Folder{Dir: a.State}
	for _, one := range of.CopiedQueues() {
		problem, fix, _ := strings.Cut(copiedNote(&of, one), "; ")
		report = append(report, probe.Result{Part: "agent", Status: probe.Warn, Problem: problem, Fix: fix})
	}
	return report
}
