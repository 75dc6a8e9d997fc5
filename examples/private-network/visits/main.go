// Command visits counts the visits of pages in Redis, and keeps the latest of
// each in MongoDB when there is one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// site has the connections. They are made once per instance, with its first
// event, and used by all events after it.
type site struct {
	redis  *redis.Client
	latest *mongo.Collection // nil: there is no MongoDB
}

func open() (*site, error) {
	o, err := redis.ParseURL(os.Getenv("REDIS_URI"))
	if err != nil {
		return nil, err
	}
	o.PoolSize = 1 // an instance handles one event at a time
	s := &site{redis: redis.NewClient(o)}
	if uri := os.Getenv("MONGODB_URI"); uri != "" {
		client, err := mongo.Connect(options.Client().ApplyURI(uri).SetMaxPoolSize(1))
		if err != nil {
			return nil, err
		}
		s.latest = client.Database("visits").Collection("latest")
	}
	return s, nil
}

type answer struct {
	Page     string `json:"page"`
	Visits   int64  `json:"visits"`
	Instance string `json:"instance"`
}

func (s *site) visit(ctx context.Context, in events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	page := in.PathParameters["page"]
	if page == "" {
		return events.APIGatewayProxyResponse{StatusCode: 400, Body: `{"message":"which page?"}`}, nil
	}
	n, err := s.redis.Incr(ctx, "visits:"+page).Result()
	if err != nil {
		return events.APIGatewayProxyResponse{}, err
	}
	if s.latest != nil {
		at := bson.M{"$set": bson.M{"at": time.Now().UTC()}}
		if _, err := s.latest.UpdateByID(ctx, page, at, options.UpdateOne().SetUpsert(true)); err != nil {
			return events.APIGatewayProxyResponse{}, err
		}
	}
	doc, err := json.Marshal(answer{page, n, os.Getenv("AWS_LAMBDA_LOG_STREAM_NAME")})
	return events.APIGatewayProxyResponse{StatusCode: 200, Body: string(doc), Headers: map[string]string{"Content-Type": "application/json"}}, err
}

// reach tries to connect to each address and says what became of it. A security
// group answers nothing, as on AWS, so silence is the usual refusal.
func reach(ctx context.Context, addresses []string) (map[string]string, error) {
	said := make([]string, len(addresses))
	var all sync.WaitGroup
	for i, address := range addresses {
		all.Go(func() { said[i] = try(ctx, address) })
	}
	all.Wait()
	list := map[string]string{}
	for i, address := range addresses {
		list[address] = said[i]
	}
	return list, nil
}

func try(ctx context.Context, address string) string {
	d := net.Dialer{Timeout: 4 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
		return "reached"
	}
	var dns *net.DNSError
	var slow net.Error
	switch {
	case errors.As(err, &dns):
		return "no such name"
	case errors.As(err, &slow) && slow.Timeout():
		return "silence"
	}
	return err.Error()
}

func main() {
	if os.Getenv("MODE") == "reach" {
		lambda.Start(reach)
	}
	s, err := open()
	if err != nil {
		panic(err)
	}
	lambda.Start(s.visit)
}
