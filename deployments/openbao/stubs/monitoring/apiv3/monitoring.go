// Package monitoring stands where Google's metrics client would: the server
// sends metrics to no cloud.
package monitoring

import (
	"context"
	"errors"

	"google.golang.org/api/option"
)

// MetricClient cannot be made.
type MetricClient struct{}

// NewMetricClient refuses.
func NewMetricClient(context.Context, ...option.ClientOption) (*MetricClient, error) {
	return nil, errors.New("this server is built without Stackdriver metrics")
}
