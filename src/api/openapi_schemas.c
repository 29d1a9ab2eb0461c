/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes of bodies and answers, for /openapi.json. What is checked is checked in job/spec.c. */
#include "api/openapi.h"

/* clang-format off */
#define REF(name) "{'$ref':'#/components/schemas/" name "'}"
#define LIST_OF(name) "{'type':'array','items':" REF(name) "}"
#define OBJECT(members) "{'type':'object','properties':{" members "}}"
#define OBJECT_WITH(required, members) "{'type':'object','required':[" required "],'properties':{" members "}}"
#define STRINGS "{'type':'object','additionalProperties':{'type':'string'}}"
#define WORDS "{'type':'array','items':{'type':'string'}}"
#define TEXT "{'type':'string'}"
#define TIME "{'type':'string','format':'date-time'}"
#define NUMBER "{'type':'integer'}"
#define BOOLEAN "{'type':'boolean'}"
#define LIMIT "{'type':['integer','string','null'],'minimum':0}"
#define ARCH "{'type':'string','enum':['amd64','arm64'],'default':'amd64'}"

/* Written with single quotes for the eye; openapi_schemas() turns them round. */
static const char schemas[] = "{"
"'Error':" OBJECT_WITH("'error'", "'error':" TEXT) ","
"'JobRequest':" OBJECT_WITH("'flavor'",
	"'dockerImage':{'type':'string','description':'This or spaceId, not both'},"
	"'spaceId':" TEXT ",'command':" WORDS ",'arguments':" WORDS ",'environment':" STRINGS ","
	"'secrets':" STRINGS ",'flavor':" TEXT ",'arch':" ARCH ","
	"'timeoutSeconds':{'type':['integer','null'],'minimum':1},"
	"'attempts':{'type':'integer','minimum':1,'default':1},'labels':" STRINGS) ","
"'LabelsRequest':" OBJECT_WITH("'labels'", "'labels':" STRINGS) ","
"'ExtendRequest':" OBJECT(
	"'seconds':{'type':'integer','minimum':1,'description':'To add; or timeoutSeconds, not both'},"
	"'timeoutSeconds':{'type':'integer','minimum':1,'description':'A new limit, from the start of the job'}") ","
"'MetricsHistory':" OBJECT_WITH("'attempt','stepSeconds','samples'",
	"'attempt':" NUMBER ",'stepSeconds':" NUMBER ",'cpuMillicoresTotal':" NUMBER ",'memoryTotalBytes':" NUMBER ","
	"'gpus':{'type':'object'},'samples':{'type':'array','items':" OBJECT("'at':" TIME ",'cpuMillicores':" NUMBER ","
	"'memoryBytes':" NUMBER ",'rxBps':" NUMBER ",'txBps':" NUMBER ",'storageBytes':" NUMBER ",'gpus':{'type':'object'}") "}") ","
"'Status':" OBJECT_WITH("'stage','message','failureCount'",
	"'stage':{'type':'string','enum':['SCHEDULING','RUNNING','COMPLETED','ERROR','CANCELED','DELETED']},"
	"'message':{'type':['string','null']},'cancelReason':" TEXT ",'failureCount':" NUMBER) ","
"'Person':" OBJECT("'id':" TEXT ",'name':" TEXT ",'type':" TEXT ",'avatarUrl':" TEXT) ","
"'Job':" OBJECT_WITH("'type','id','createdAt','status','owner'",
	"'type':{'type':'string','const':'job'},'id':" TEXT ",'createdAt':" TIME ",'startedAt':" TIME ","
	"'finishedAt':" TIME ",'updatedAt':" TIME ",'dockerImage':" TEXT ",'spaceId':" TEXT ","
	"'command':" WORDS ",'arguments':" WORDS ",'environment':" STRINGS ","
	"'secrets':{'type':'array','items':{'type':'string'},'description':'Names only'},"
	"'flavor':" TEXT ",'arch':" ARCH ",'timeout':" NUMBER ",'timeoutSeconds':" NUMBER ","
	"'retry':" NUMBER ",'attempts':" NUMBER ",'labels':" STRINGS ",'status':" REF("Status") ","
	"'durations':" OBJECT("'schedulingSecs':" NUMBER ",'runningSecs':" NUMBER ",'totalSecs':" NUMBER) ","
	"'owner':" REF("Person") ",'createdBy':" REF("Person") ",'initiator':" REF("Person")) ","
"'JobList':" LIST_OF("Job") ","
"'QueueRow':" OBJECT_WITH("'position','id','namespace','user','flavor','priority','ageSeconds','hold','message'",
	"'position':{'type':['integer','null'],'description':'From 1; null: held'},'id':" TEXT ",'namespace':" TEXT ",'user':" TEXT ","
	"'flavor':" TEXT ",'priority':" NUMBER ",'ageSeconds':" NUMBER ","
	"'hold':{'type':['string','null'],'enum':['owner','admin','jobs','array',null]},"
	"'estimatedStart':" TIME ",'isPromised':" BOOLEAN ",'message':" TEXT) ","
"'Queue':" LIST_OF("QueueRow") ","
"'QueueChange':" OBJECT("'id':" TEXT ",'namespace':" TEXT ",'priority':" NUMBER ",'hold':{'type':['string','null']},'rank':" NUMBER) ","
"'PriorityRequest':" OBJECT_WITH("'priority'", "'priority':{'type':'integer','minimum':-100,'maximum':100}") ","
"'LimitsRequest':" OBJECT("'maxRunning':" LIMIT ",'maxQueued':" LIMIT ",'maxDevices':" LIMIT ","
	"'maxPriority':{'type':['integer','null'],'minimum':-100,'maximum':100},"
	"'weight':{'type':['integer','null'],'minimum':1,'maximum':1000}") ","
"'Limits':" OBJECT("'kind':{'type':'string','enum':['namespace','user','group']},'name':" TEXT ",'id':" TEXT ","
	"'maxRunning':" LIMIT ",'maxQueued':" LIMIT ",'maxDevices':" LIMIT ",'maxPriority':{'type':['integer','null']},"
	"'weight':{'type':['integer','null']}") ","
"'LimitsList':" LIST_OF("Limits") ","
"'ResourceGroup':" OBJECT("'id':" TEXT ",'name':" TEXT ",'numUsers':" NUMBER) ","
"'ResourceGroupList':" LIST_OF("ResourceGroup") ","
"'ScheduleRequest':" OBJECT_WITH("'jobSpec','schedule'",
	"'jobSpec':" REF("JobRequest") ",'schedule':" TEXT ",'suspend':" BOOLEAN ",'concurrency':" BOOLEAN) ","
"'ExpressionRequest':" OBJECT_WITH("'schedule'", "'schedule':" TEXT) ","
"'Schedule':" OBJECT_WITH("'type','id','createdAt','schedule','suspend','concurrency','status','owner','jobSpec'",
	"'type':{'type':'string','const':'scheduled-job'},'id':" TEXT ",'createdAt':" TIME ",'updatedAt':" TIME ","
	"'schedule':" TEXT ",'suspend':" BOOLEAN ",'suspendReason':" TEXT ",'concurrency':" BOOLEAN ","
	"'status':" OBJECT("'lastJob':{'type':['object','null']},'nextJobRunAt':{'type':['string','null'],'format':'date-time'}") ","
	"'owner':" REF("Person") ",'createdBy':" REF("Person") ",'initiator':" REF("Person") ","
	"'jobSpec':{'type':'object'},'nextRuns':{'type':'array','items':" TIME "}") ","
"'ScheduleList':" LIST_OF("Schedule") ","
"'Tick':" OBJECT_WITH("'dueAt','outcome','decidedAt','job','reason','count','untilAt'",
	"'dueAt':" TIME ",'outcome':{'type':'string','enum':['ran','caught-up','triggered','waiting','skipped','missed','failed']},"
	"'decidedAt':" TIME ",'job':{'type':['object','null']},'reason':{'type':['string','null']},"
	"'count':{'type':'integer','description':'Ticks that the row stands for, from dueAt to untilAt'},'untilAt':" TIME) ","
"'TickList':" LIST_OF("Tick") ","
"'Count':" OBJECT("'count':" NUMBER) ","
"'AuthCheck':" OBJECT("'namespace':" REF("Person") ",'user':" REF("Person")) ","
"'Hardware':" OBJECT("'name':" TEXT ",'prettyName':" TEXT ",'cpu':" TEXT ",'ram':" TEXT ","
	"'ephemeralStorage':" TEXT ",'accelerator':{'type':['object','null']},'unitCostMicroUSD':" NUMBER ","
	"'unitCostUSD':{'type':'number'},'unitLabel':" TEXT) ","
"'HardwareList':" LIST_OF("Hardware") ","
"'WhoAmI':" OBJECT_WITH("'type','name','orgs','auth'",
	"'type':{'type':'string','const':'user'},'id':" TEXT ",'name':" TEXT ","
	"'orgs':{'type':'array','items':{'type':'object'}},'auth':{'type':'object'}") ","
"'Image':" OBJECT("'reference':" TEXT ",'digest':" TEXT ",'architecture':" TEXT ",'size':" NUMBER ","
	"'layerCount':" NUMBER ",'pulledAt':" TIME ",'local':" BOOLEAN ",'layers':" WORDS ",'config':{'type':'object'}") ","
"'ImageList':" LIST_OF("Image") ","
"'PullRequest':" OBJECT_WITH("'reference'", "'reference':" TEXT ",'architecture':" ARCH ","
	"'always':{'type':'boolean','default':true,'description':'Ask the registry even when the image is fresh'}") ","
"'PruneRequest':" OBJECT("'keepBytes':{'type':'integer','default':0}") ","
"'Removed':" OBJECT("'freed_bytes':" NUMBER ",'removed':" WORDS) ","
"'NameRequest':" OBJECT_WITH("'name'", "'name':" TEXT) ","
"'RoleRequest':" OBJECT_WITH("'role'", "'role':{'type':'string','enum':['read','write','admin']}") ","
"'TokenRequest':" OBJECT_WITH("'name'", "'name':" TEXT ","
	"'role':{'type':'string','enum':['read','write'],'default':'write'}") ","
"'Account':" OBJECT("'id':" TEXT ",'name':" TEXT ",'type':" TEXT ",'external':" BOOLEAN ",'createdAt':" TIME) ","
"'AccountList':" LIST_OF("Account") ","
"'Member':" OBJECT("'org':" TEXT ",'user':" TEXT ",'role':" TEXT) ","
"'MemberList':" LIST_OF("Member") ","
"'Token':" OBJECT("'id':" TEXT ",'name':" TEXT ",'role':" TEXT ",'createdAt':" TIME ","
	"'lastUsedAt':{'type':['string','null'],'format':'date-time'}") ","
"'NewToken':{'allOf':[" REF("Token") "," OBJECT("'token':" TEXT) "]},"
"'TokenList':" LIST_OF("Token") ","
"'Watched':" OBJECT_WITH("'type','name'",
	"'type':{'type':'string','enum':['model','dataset','space','bucket','kernel','user','org']},'name':" TEXT) ","
"'JobWatch':" OBJECT("'namespace':" TEXT ",'labels':" STRINGS ",'events':" WORDS) ","
"'WebhookRequest':" OBJECT("'watched':" LIST_OF("Watched") ",'url':" TEXT ",'jobSourceId':" TEXT ","
	"'job':" REF("JobRequest") ",'domains':" WORDS ",'secret':" TEXT ",'jobs':" REF("JobWatch")) ","
"'Webhook':" OBJECT_WITH("'id','watched','domains','disabled','hasSecret'", "'id':" TEXT ",'url':" TEXT ","
	"'job':{'type':'object'},'jobSourceId':" TEXT ",'watched':" LIST_OF("Watched") ",'domains':" WORDS ","
	"'disabled':{'enum':[false,true,'suspended-after-failure']},'hasSecret':" BOOLEAN ","
	"'jobs':" REF("JobWatch") ",'lastTriggerAt':" TIME ",'createdAt':" TIME ",'updatedAt':" TIME) ","
"'WebhookAnswer':" OBJECT("'webhook':" REF("Webhook")) ","
"'WebhookList':" LIST_OF("Webhook") ","
"'Delivery':" OBJECT("'id':" TEXT ",'event':" TEXT ",'eventId':" TEXT ","
	"'state':{'type':'string','enum':['waiting','delivered','failed','dropped','loop','replaying']},"
	"'attempts':" NUMBER ",'status':" NUMBER ",'durationMs':" NUMBER ",'createdAt':" TIME ","
	"'finishedAt':" TIME ",'nextTryAt':" TIME ",'jobId':" TEXT ",'replayOf':" TEXT ",'causedByJob':" TEXT ","
	"'error':" TEXT ",'payload':{'type':'object'},'request':{'type':'object'},'response':{'type':'object'}") ","
"'DeliveryList':" LIST_OF("Delivery") ","
"'Replayed':" OBJECT("'status':{'type':'integer','description':'0: no answer'},'id':" TEXT ",'error':" TEXT ",'jobId':" TEXT) ","
"'Event':" OBJECT_WITH("'event','repo'", "'event':{'type':'object'},'repo':{'type':'object'}") ","
"'Accepted':" OBJECT("'accepted':" BOOLEAN ",'duplicate':" BOOLEAN) ","
"'BucketRequest':" OBJECT("'private':" BOOLEAN ",'visibility':{'type':'string','enum':['public','private']}") ","
"'NewBucket':" OBJECT_WITH("'url','name','id'", "'url':" TEXT ",'name':" TEXT ",'id':" TEXT) ","
"'Bucket':" OBJECT_WITH("'id','private','createdAt','size','totalFiles'",
	"'id':{'type':'string','description':'namespace/name'},'author':" TEXT ",'private':" BOOLEAN ",'createdAt':" TIME ","
	"'updatedAt':" TIME ",'size':" NUMBER ",'totalFiles':" NUMBER ",'repoType':" TEXT ",'cdnRegions':" WORDS) ","
"'BucketList':" LIST_OF("Bucket") ","
"'MoveRequest':" OBJECT_WITH("'fromRepo','toRepo','type'", "'fromRepo':" TEXT ",'toRepo':" TEXT ",'type':{'type':'string','const':'bucket'}") ","
"'PathsRequest':" OBJECT_WITH("'paths'", "'paths':" WORDS) ","
"'File':" OBJECT_WITH("'type','path'",
	"'type':{'type':'string','enum':['file','directory']},'path':" TEXT ",'size':" NUMBER ",'xetHash':" TEXT ",'mtime':" TIME ","
	"'mtimeNanos':" NUMBER ",'uploadedAt':" TIME ",'contentType':" TEXT) ","
"'FileList':" LIST_OF("File") ","
"'BatchResult':" OBJECT_WITH("'success','processed','succeeded','failed'",
	"'success':" BOOLEAN ",'processed':" NUMBER ",'succeeded':" NUMBER ",'failed':{'type':'array','items':{'type':'object'}}") ","
"'XetToken':" OBJECT_WITH("'casUrl','exp','accessToken'", "'casUrl':" TEXT ",'exp':" NUMBER ",'accessToken':" TEXT) ","
"'Health':" OBJECT("'status':" TEXT ",'version':" TEXT ",'uptimeSecs':" NUMBER)
"}";
/* clang-format on */

const char *openapi_schemas(void)
{
	static char text[sizeof(schemas)];

	for (size_t i = 0; i < sizeof(schemas); i++)
		text[i] = schemas[i] == '\'' ? '"' : schemas[i];
	return text;
}
