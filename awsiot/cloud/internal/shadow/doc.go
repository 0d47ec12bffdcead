// Package shadow is AWS IoT's Device Shadow service as pure functions: a document and a
// request go in, the next document and the responses come out. It knows no topics but
// their ends, no files and no clock.
//
// It implements "AWS IoT Device Shadow service" of the AWS IoT Core developer guide: the
// topics of device-shadow-mqtt, the documents of device-shadow-document, the messages of
// device-shadow-error-messages. Where these are silent it does what AWS's shadow manager
// for Greengrass does: an empty object counts as null, a version is that of the document
// before the update, and nesting is counted from the node state.
//
//	state                   level 1
//	  desired, reported     level 2
//	    attributes          level 3 to 6: an attribute has at most five names
package shadow
