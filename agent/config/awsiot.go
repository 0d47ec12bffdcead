package config

import (
	"fmt"
	"slices"

	"pithings/awsiot/command"
	"pithings/awsiot/defender"
	"pithings/awsiot/jobs"
	"pithings/awsiot/presence"
	"pithings/awsiot/refuse"
	"pithings/awsiot/shadow"
	"pithings/conf"
)

// AWSIoT is what AWS IoT Core offers, or its device playground, as far as it is built here. It
// works over any broker.
type AWSIoT struct {
	Command  command.Settings  `json:"command" jsonschema:"commands by MQTT with an answer, on cmd/ac/CLIENT ID/req"`
	Defender defender.Settings `json:"defender" jsonschema:"reports to AWS IoT Device Defender"`
	Jobs     jobs.Settings     `json:"jobs" jsonschema:"jobs that a cloud queues for this device"`
	Presence presence.Settings `json:"presence" jsonschema:"AWS IoT's events about this device's own connection"`
	Refuse   refuse.Settings   `json:"refuse" jsonschema:"what is not supported, and refused with a sentence in the log"`
	Shadow   shadow.Section    `json:"shadow" jsonschema:"device shadows: settings that the cloud reads and changes"`
	Trial    conf.Duration     `json:"trial" default:"2m" min:"5s" max:"1h" change:"local" jsonschema:"how long settings from afar have to connect; then those before come back"`
}

func (d *checker) awsiot(c *Config) {
	c.AWSIoT.Command.Check(func(path, format string, args ...any) { d.Bad("awsiot.command."+path, format, args...) })
	c.AWSIoT.Defender.Check(func(path, format string, args ...any) { d.Bad("awsiot.defender."+path, format, args...) })
	d.shadow(c)
	for i, m := range c.AWSIoT.Defender.Custom {
		if m.Thing != "" && !slices.ContainsFunc(c.Things, func(t Thing) bool { return t.Name == m.Thing }) {
			d.Bad(fmt.Sprintf("awsiot.defender.custom[%d].thing", i), "there is no thing %s", conf.Quote(m.Thing))
		}
	}
}

// shadow checks that there can be a thing of the client id. One that the program makes can be.
func (d *checker) shadow(c *Config) {
	if !c.AWSIoT.Shadow.Enabled || c.MQTT.ClientID == "" {
		return
	}
	if err := shadow.CheckThing(c.MQTT.ClientID); err != nil {
		d.Bad("awsiot.shadow.enabled", "the client id is the name of the shadow's thing, and %v", err)
	}
}

// Used reports whether there is anything to do, for which the shared connection is needed.
func (a *AWSIoT) Used() bool {
	return a.Command.Enabled || a.Defender.Enabled || a.Jobs.Enabled || a.Presence.Enabled || a.Refuse.Enabled || a.Shadow.Enabled
}
