// Package flowhost keeps the flows of an agent: what is deployed, in which revision,
// and in which state, across restarts. It joins the engine of package flow with
// the things of the process and with the broker.
//
// # What is deployed
//
// A deployment is kept as a snapshot of the files it was read from and of the
// options it was deployed with, under a revision that counts up. Editing a file
// changes nothing until it is deployed again. STATE/flows has a folder for each
// deployment:
//
//	status        JSON: its name, status, the active revision, why it failed
//	00000003.json JSON: a revision: when it was deployed, the options, the files
//
// Files are written under another name, synced and renamed, so that a power cut
// leaves the old or the new one. The newest MaxRevisions are kept.
//
// # How things are reached
//
// A thing of this process is reached within it, all others through the broker,
// unless the deployment says otherwise. However many flows use a thing, and
// whichever way, one action at a time is in flight on it.
package flowhost
