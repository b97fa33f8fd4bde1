// Calls the greeter once and prints the status of the call: go run . '{"target": "127.0.0.1:8000"}'
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type call struct {
	Target    string
	TLS       bool
	Authority string // a file with the certificates to trust
	Override  string // the name that the certificate has to be for
	Metadata  map[string]string
	Bytes     int     // of the name
	Timeout   float64 // seconds
	Method    string
}

func main() {
	asked := call{Bytes: 3, Timeout: 20, Method: "SayHello"}
	if err := json.Unmarshal([]byte(os.Args[1]), &asked); err != nil {
		log.Fatal(err)
	}
	channel, err := grpc.NewClient(asked.Target, grpc.WithTransportCredentials(asked.credentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer channel.Close()
	timeout := time.Duration(asked.Timeout * float64(time.Second))
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	ctx = metadata.NewOutgoingContext(ctx, metadata.New(asked.Metadata))
	// On the wire a HelloRequest is a StringValue: both have one string, which is field 1.
	request := wrapperspb.String(strings.Repeat("x", asked.Bytes))
	err = channel.Invoke(ctx, "/helloworld.Greeter/"+asked.Method, request, &emptypb.Empty{})
	answer := status.Convert(err)
	fmt.Println(answer.Code(), answer.Message())
}

func (asked call) credentials() credentials.TransportCredentials {
	if !asked.TLS {
		return insecure.NewCredentials()
	}
	config := &tls.Config{ServerName: asked.Override}
	if asked.Authority != "" {
		certificates, err := os.ReadFile(asked.Authority)
		if err != nil {
			log.Fatal(err)
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(certificates)
	}
	return credentials.NewTLS(config)
}
