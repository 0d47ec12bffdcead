// Package fleet is AWS IoT's fleet provisioning: certificates for new keys and for signing
// requests, tokens that prove who got one, and the registration of things by templates. It
// knows no topics, no files and no clock.
//
// It implements "Device provisioning MQTT API" of the AWS IoT Core developer guide. The guide
// names no error codes; they are in the constants.
package fleet
