// Documents of each collection, a line each. The server's own databases are not ours.
db.getMongo().getDBNames().filter(n => !["admin", "config", "local"].includes(n)).sort().forEach(n => {
  const one = db.getSiblingDB(n);
  one.getCollectionInfos({type: "collection"}).map(c => c.name).filter(c => !c.startsWith("system.")).sort()
    .forEach(c => print(`${n}.${c} ${one.getCollection(c).countDocuments({})}`));
});
