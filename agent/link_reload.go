package agent

import (
	"fmt"
	"reflect"
)

// The connections in a reload: one with the same options stays connected. Outboxes are closed
// and opened with their connections, so that nothing is lost and the order stays.

func (l *links) plan(ch *change) error {
	all, err := l.wanted(ch.next)
	if err != nil {
		return err
	}
	ch.stays = map[string]bool{}
	for _, one := range all {
		if l.embedded == nil && one.mqtt.Endpoint == "" {
			return fmt.Errorf("%s needs the embedded broker, which this process was started without: start it again", one.what())
		}
		made, there := l.made[one.name]
		ch.stays[one.name] = there && reflect.DeepEqual(made, one)
		if !ch.stays[one.name] {
			ch.Connections = append(ch.Connections, nameOf(one.name))
		}
	}
	for name := range l.made {
		if _, wanted := ch.stays[name]; !wanted {
			ch.Connections = append(ch.Connections, nameOf(name))
		}
	}
	_, had := l.made[""]
	stays, wants := ch.stays[""]
	ch.sharedDiffers = had != wants || wants && !stays
	return nil
}

func (l *links) leave(ch *change) {
	for name := range l.made {
		if !ch.stays[name] {
			if err := l.closeOne(name); err != nil {
				l.log.Error("queue could not be closed in order", "connection", nameOf(name), "err", err)
			}
		}
	}
}

func (l *links) take(ch *change) error {
	if err := l.openAll(ch.next); err != nil {
		return err
	}
	l.startAll()
	return nil
}

func nameOf(connection string) string {
	if connection == "" {
		return "shared"
	}
	return connection
}
