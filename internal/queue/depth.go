package queue

import "context"

// Depth is how many messages a queue has.
type Depth struct {
	Queue                      string // name
	Visible, InFlight, Delayed int
}

// Depths are those of all queues.
func (q *Queues) Depths(ctx context.Context) ([]Depth, error) {
	var list []Depth
	for _, o := range q.load().queues {
		n, err := o.count(ctx)
		if err != nil {
			return list, err
		}
		list = append(list, Depth{
			Queue: o.get().Name, Visible: n["ApproximateNumberOfMessages"],
			InFlight: n["ApproximateNumberOfMessagesNotVisible"], Delayed: n["ApproximateNumberOfMessagesDelayed"],
		})
	}
	return list, nil
}
