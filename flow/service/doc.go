// Package service calls web services for flows: requests over HTTP as a
// flow.ServiceModel describes them.
//
// What a flow may reach is bounded. The host of a URL is one that the service's
// description names, or one of the hosts that the options allow; values of a flow
// never choose another. The address that is really dialled is checked, after all
// name look-ups: link-local ones (where cloud machines hand out credentials),
// loopback, multicast and unspecified ones are refused unless the options allow
// their network. Redirects to another host are refused. Answers are bounded in
// size and time, and no proxy of the environment is used.
//
// Services that run at AWS only, Lambda functions and what AWS has signed, need a
// URL of one's own that takes the same request; without one they are refused.
package service
