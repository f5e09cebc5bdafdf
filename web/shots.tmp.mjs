import { chromium } from 'playwright-core';
const [,, out, pagesArg, size='1440', locale='en-GB', scheme='light', user='admin'] = process.argv;
const sizes={1440:[1440,900],1024:[1024,768],390:[390,844]};
const [width,height]=sizes[size];
const b=await chromium.launch({executablePath:'/usr/bin/chromium',args:['--no-sandbox','--disable-gpu']});
const c=await b.newContext({baseURL:'http://127.0.0.1:8190',viewport:{width,height},locale,colorScheme:scheme,timezoneId:'Europe/Paris',...(size==='390'?{hasTouch:true,isMobile:true}:{})});
const p=await c.newPage();
p.on('console',m=>{ if(['error','warning'].includes(m.type())) console.log('CONSOLE',m.text(),m.location().url)});
p.on('pageerror',e=>console.log('PAGEERROR',String(e)));
await p.goto('/');
await p.locator('#user').fill(user); await p.locator('#password').fill('passwordpassword'); await p.keyboard.press('Enter');
await p.locator('header').waitFor({timeout:8000});
for(const spec of pagesArg.split(';')){
  const [name,hash,...acts]=spec.split('|');
  await p.goto('/'+hash); await p.waitForTimeout(900);
  for(const a of acts){ const [k,...v]=a.split('='); const val=v.join('=');
    if(k==='click') await p.getByRole('button',{name:val}).first().click(); 
    if(k==='text') await p.getByText(val).first().click();
    if(k==='press') await p.keyboard.press(val);
    if(k==='scroll') await p.evaluate(y=>scrollTo(0,y),Number(val));
    if(k==='wait') await p.waitForTimeout(Number(val));
    await p.waitForTimeout(400);}
  await p.screenshot({path:`${out}/${name}-${size}-${locale.slice(0,2)}-${scheme}.png`,fullPage:!acts.length});
}
await b.close();
