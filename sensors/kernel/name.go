package kernel

import (
	"strconv"

	"pithings/sensors/internal/sysfs"
)

// reserved names mean something else below a thing's topic.
var reserved = map[string]bool{
	"state": true, "status": true, "event": true, "set": true, "availability": true,
	"utc_timestamp": true, "timestamp_utc": true, "value": true,
}

// name names the channels: by their labels, else by what they measure, with the
// kernel's number where several would have one name.
func name(channels []channel) {
	count := map[string]int{}
	for i := range channels {
		c := &channels[i]
		n := sysfs.Name(c.label)
		if n == "" {
			n = c.base
		}
		if reserved[n] {
			n += "_" + c.base
		}
		c.quantity.Name = n
		count[n]++
	}
	taken := map[string]bool{}
	for i := range channels {
		c := &channels[i]
		n := c.quantity.Name
		if count[n] > 1 && c.number != "" {
			n += "_" + c.number
		}
		if taken[n] {
			n = sysfs.Name(c.key)
		}
		for k := 2; taken[n]; k++ {
			n = c.quantity.Name + "_" + strconv.Itoa(k)
		}
		taken[n] = true
		c.quantity.Name = n
	}
}
