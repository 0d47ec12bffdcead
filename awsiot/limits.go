package awsiot

import (
	"net"
	"strings"
	"time"

	"pithings/mqttlink"
)

// Name is what errors and logs call the broker.
const Name = "AWS IoT Core"

// Source is where the limits are written.
const Source = "https://docs.aws.amazon.com/general/latest/gr/iot-core.html"

// The limits of a connection to AWS IoT Core.
const (
	MaxPayload       = 128 << 10 // bytes
	MaxTopicBytes    = 256       // of UTF-8, without a Basic Ingest prefix
	MaxTopicSlashes  = 7         // without those of a Basic Ingest prefix
	MaxClientID      = 128       // bytes
	MaxSubscriptions = 50
	MaxFilters       = 8         // in a SUBSCRIBE
	PublishRate      = 100       // messages a second; more are discarded silently
	ByteRate         = 512 << 10 // bytes a second
	MaxUnacked       = 100
	MaxKeepAlive     = 1200 * time.Second
	ConnectEvery     = time.Second // for one client id

	// DrainRate is how many messages of a backlog are sent in a second. It leaves
	// room below PublishRate for packets that arrive closer together than they were
	// sent.
	DrainRate = 80
)

// Limits returns what a link to endpoint has to heed, and at how many messages a
// second it should send a backlog. The endpoint is a URL or a host, with or
// without a port. ok is false if it is not one of AWS IoT Core by its name; for
// one under a domain of your own, use Custom.
func Limits(endpoint string) (limits mqttlink.Limits, drain float64, ok bool) {
	p, ok := parseHost(hostOf(endpoint))
	if !ok {
		return mqttlink.Limits{}, 0, false
	}
	return limitsOf(p), DrainRate, true
}

// Custom returns the limits of an AWS IoT Core endpoint whose name does not tell,
// such as a configurable endpoint. The region is for messages; it may be empty.
func Custom(region string) (limits mqttlink.Limits, drain float64) {
	return limitsOf(place{partition: partition(region), region: region}), DrainRate
}

func limitsOf(p place) mqttlink.Limits {
	return mqttlink.Limits{
		By: Name, Source: Source,
		MaxPayload: MaxPayload, MaxTopicBytes: MaxTopicBytes, MaxTopicLevels: MaxTopicSlashes + 1,
		MaxClientID: MaxClientID, MaxSubscriptions: MaxSubscriptions, MaxFilters: MaxFilters,
		MaxUnacked: MaxUnacked, MaxKeepAlive: MaxKeepAlive,
		Rate: PublishRate, ByteRate: ByteRate, ConnectEvery: ConnectEvery,
		Rules: rules{p},
	}
}

// place is where an endpoint is, as far as its name shows.
type place struct {
	partition string // aws, aws-cn, aws-us-gov
	region    string // eu-west-1; may be empty
}

// hostOf returns the host in a URL or in host:port, in lower case.
func hostOf(endpoint string) string {
	if _, rest, ok := strings.Cut(endpoint, "://"); ok {
		endpoint = rest
	}
	endpoint, _, _ = strings.Cut(endpoint, "/")
	if host, _, err := net.SplitHostPort(endpoint); err == nil {
		endpoint = host
	}
	return strings.ToLower(strings.TrimSuffix(endpoint, "."))
}

// suffixes are what the names of AWS endpoints end with.
var suffixes = []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws"}

// parseHost recognises the names of AWS IoT Core's data endpoints:
// PREFIX-ats.iot.REGION.amazonaws.com, the legacy PREFIX.iot.REGION.…, and those
// for FIPS, dual stack and VPCs, in which iot or iot-fips also stands before the
// region.
func parseHost(host string) (place, bool) {
	for _, s := range suffixes {
		name, ok := strings.CutSuffix(host, s)
		if !ok {
			continue
		}
		labels := strings.Split(name, ".")
		for i, l := range labels {
			if (l == "iot" || l == "iot-fips") && i > 0 && i+1 < len(labels) && labels[i-1] != "credentials" {
				region := labels[i+1]
				return place{partition(region), region}, true
			}
		}
	}
	return place{}, false
}

// partition returns the first part of an ARN in a region.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
