// Package awsiot holds what only AWS IoT Core has, of all brokers: its limits, its
// reserved topics, and how its policies name what they allow.
//
// AWS IoT Core answers most breaches by closing the connection without a reason,
// and publications above its rate not at all: it discards them. So everything is
// checked before it is sent. Limits returns what a link needs for that:
//
//	limits, drain, ok := awsiot.Limits(endpoint)
//
// The values are those of "AWS IoT Core endpoints and quotas" in the AWS General
// Reference; where the documents of different years disagree, the strictest.
package awsiot
