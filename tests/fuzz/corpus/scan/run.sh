IMAGE=redis:7
docker pull redis:7 && kubectl run --image a:2 ${X:-quay.io/a/b:1} https://a.b/c?x=d/e:f1
