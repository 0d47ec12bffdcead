package configure

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/spool/accepted"
)

// candidate divides a change into settings and brokers with their secrets. The problems are what
// must not be among it, whatever the configuration says.
func (x *API) candidate(who string, changes map[string]any) (*config.Candidate, []Problem) {
	k := &config.Candidate{From: who, Changes: maps.Clone(changes), Connections: map[string]*accepted.Connection{}}
	d := dividing{now: x.Current(), to: k}
	d.masks("", changes)
	if mqtt, ok := changes["mqtt"]; ok {
		d.take("", "mqtt", mqtt, k.Changes)
	}
	if all, ok := changes["things"].(map[string]any); ok {
		d.things(all)
	}
	return k, d.problems
}

// dividing takes brokers out of a change.
type dividing struct {
	now      *config.Config
	to       *config.Candidate
	problems []Problem
}

func (d *dividing) bad(key, format string, args ...any) {
	d.problems = append(d.problems, Problem{Key: key, Message: fmt.Sprintf(format, args...)})
}

// masks refuses what stands for a secret: a form that sends back all that it was shown would make
// it the secret.
func (d *dividing) masks(at string, v any) {
	switch v := v.(type) {
	case string:
		if v == mask || strings.Contains(v, inURL) || strings.HasSuffix(at, "password") && v != "" && strings.Trim(v, "*•●") == "" {
			d.bad(at, "%s is what stands for a secret, and not the secret: leave the key out, or type it anew", v)
		}
	case []any:
		for i := range v {
			d.masks(at, v[i])
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			d.masks(conf.Join(at, key), v[key])
		}
	}
}

// things takes the brokers of things' own connections.
func (d *dividing) things(all map[string]any) {
	all = maps.Clone(all)
	d.to.Changes["things"] = all
	for _, name := range slices.Sorted(maps.Keys(all)) {
		keys, ok := all[name].(map[string]any)
		if !ok {
			continue
		}
		if mqtt, ok := keys["mqtt"]; ok {
			keys = maps.Clone(keys)
			all[name] = keys
			d.take(name, "things."+name+".mqtt", mqtt, keys)
		}
	}
}

// take takes the broker of one connection out of the section that has it.
func (d *dividing) take(name, called string, mqtt any, section map[string]any) {
	keys, ok := mqtt.(map[string]any)
	if !ok {
		if mqtt == nil { // all that was accepted of it is taken back
			d.to.Connections[name] = nil
		}
		return
	}
	rest, broker := maps.Clone(keys), map[string]any{}
	for _, f := range conf.Fields(new(config.MQTT)) {
		if v, ok := rest[f.Key]; ok && f.Change() == conf.WithSecret {
			broker[f.Key] = v
			delete(rest, f.Key)
		}
	}
	if len(broker) == 0 {
		return
	}
	if section["mqtt"] = rest; len(rest) == 0 {
		delete(section, "mqtt")
	}
	d.broker(name, called, broker)
}

// broker makes a broker with its secret of the keys of a change.
func (d *dividing) broker(name, called string, keys map[string]any) {
	endpoint, username, server, ok := d.now.BrokerOf(name)
	if !ok {
		d.bad(called, "%s has no connection of its own; that can be given on the machine only", name)
		return
	}
	given, typed := keys["password"]
	if typed && given == nil {
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			if keys[key] != nil {
				d.bad(conf.Join(called, key), "null for the password takes the whole broker back, so that the file's counts: give null for %s, too, or leave it out", key)
			}
		}
		d.to.Connections[name] = nil
		return
	}
	next := accepted.Connection{Endpoint: endpoint, Username: username, ServerName: server}
	if _, moves := keys["endpoint"]; moves {
		next.ServerName = "" // that of the broker before
	}
	into := map[string]*string{"endpoint": &next.Endpoint, "username": &next.Username, "password": &next.Password, "server_name": &next.ServerName}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		at := conf.Join(called, key)
		text, isText := keys[key].(string)
		switch {
		case !typed:
			d.bad(at, "%s is changed together with the password only, typed anew: give %s.password, too (\"\": none); the one that is kept is sent to no other broker", key, called)
		case !isText:
			d.bad(at, "%s is a text", key)
		default:
			*into[key] = text
		}
	}
	d.to.Connections[name] = &next
}
